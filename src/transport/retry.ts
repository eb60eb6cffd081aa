import { type MonoTypeOperatorFunction, retry, throwError, timer } from "rxjs";
import {
  ApiConnectionError,
  ApiRedirectError,
  ApiStatusError,
  type HpcaiError,
} from "../errors.ts";
import type { RetryOptions } from "../options.ts";

/**
 * Whether another attempt may help: the connection failed, the time ran out, or the status speaks
 * of a passing state. 501 and 505 do not pass; neither does a redirect that must not be followed.
 */
export function isTransient(error: unknown): error is ApiConnectionError | ApiStatusError {
  if (error instanceof ApiConnectionError) return !(error instanceof ApiRedirectError);
  if (!(error instanceof ApiStatusError)) return false;
  const { status } = error;
  return [408, 409, 425, 429].includes(status) ||
    status >= 500 && status !== 501 && status !== 505;
}

/**
 * Resubscribes after a transient error, up to `maxRetries` times: as late as the server asks for
 * with `Retry-After`, else after a random part of an exponentially growing ceiling ("full jitter"),
 * so that many clients do not come back at the same moment. All other errors pass at once, and so
 * does one whose `Retry-After` exceeds `maxRetryAfterMs`.
 *
 * @param options Counts and delays.
 * @param onRetry Is told of each failed attempt that another one follows, and of the wait.
 * @param random Gives numbers from 0 up to but not including 1.
 */
export function retryTransient<T>(
  options: RetryOptions,
  onRetry: (error: HpcaiError, delayMs: number) => void = () => {},
  random: () => number = Math.random,
): MonoTypeOperatorFunction<T> {
  return retry({
    count: options.maxRetries,
    delay: (error, failedAttempts) => {
      const delayMs = retryDelayMs(error, failedAttempts, options, random);
      if (delayMs === undefined) return throwError(() => error);
      onRetry(error, delayMs);
      return timer(delayMs);
    },
  });
}

function retryDelayMs(
  error: unknown,
  failedAttempts: number,
  { initialDelayMs, maxDelayMs, maxRetryAfterMs }: RetryOptions,
  random: () => number,
): number | undefined {
  if (!isTransient(error)) return undefined;
  const retryAfterMs = error instanceof ApiStatusError ? error.retryAfterMs : undefined;
  if (retryAfterMs !== undefined) return retryAfterMs <= maxRetryAfterMs ? retryAfterMs : undefined;
  return Math.round(random() * Math.min(maxDelayMs, initialDelayMs * 2 ** (failedAttempts - 1)));
}
