import {
  asyncScheduler,
  defer,
  type MonoTypeOperatorFunction,
  retry,
  tap,
  throwError,
  timer,
} from "rxjs";
import {
  ApiConnectionError,
  ApiRedirectError,
  ApiStatusError,
  type HpcaiError,
} from "../errors.ts";
import type { RetryOptions } from "../options.ts";

/** A state of the server that passes by itself, so that waiting for it is no failure. */
export interface Patience {
  /** The statuses that tell of it. */
  readonly statuses: readonly number[];
  /** How long it may last from when it was first told of, in milliseconds. */
  readonly limitMs: number;
  /** Is told how many milliseconds there are until the next attempt. */
  onWait(delayMs: number): void;
}

/** What `retryTransient` can be told besides counts and delays. */
export interface RetryBehaviour<T> {
  /** Which errors are tried again; default {@linkcode isTransient}. */
  readonly isRetried?: (error: unknown) => boolean;
  /** Is told of each failed attempt that another one follows, and of the wait in milliseconds. */
  readonly onRetry?: (error: HpcaiError, delayMs: number) => void;
  /** What is waited for without counting, unless nothing is to be tried again. */
  readonly patience?: Patience | undefined;
  /** Which values restore the count; default all. */
  readonly isProgress?: (value: T) => boolean;
  /** Gives numbers from 0 up to but not including 1. */
  readonly random?: () => number;
}

/**
 * Whether another attempt may help: the connection failed, the time ran out, or the status speaks
 * of a passing state. 501 and 505 do not pass; neither does a redirect that must not be followed.
 */
export function isTransient(error: unknown): error is ApiConnectionError | ApiStatusError {
  if (error instanceof ApiConnectionError) {
    return !(error instanceof ApiRedirectError) && error.obstacle === undefined;
  }
  if (!(error instanceof ApiStatusError)) return false;
  const { status, shouldRetry } = error;
  if (shouldRetry !== undefined) return shouldRetry;
  return [408, 409, 425, 429].includes(status) ||
    status >= 500 && status !== 501 && status !== 505;
}

/**
 * Resubscribes after a transient error, up to `maxRetries` times without progress in between: as late
 * as the server asks for with `Retry-After`, else after a random part of an exponentially growing
 * ceiling ("full jitter"), so that many clients do not come back at the same moment. All other errors
 * pass at once, and so does one whose `Retry-After` exceeds `maxRetryAfterMs`.
 */
export function retryTransient<T>(
  options: RetryOptions,
  {
    isRetried = isTransient,
    onRetry = () => {},
    patience,
    isProgress = () => true,
    random = Math.random,
  }: RetryBehaviour<T> = {},
): MonoTypeOperatorFunction<T> {
  return (source$) =>
    defer(() => {
      let waitsSince: number | undefined;
      let failures = 0;
      let waits = 0;
      const delayAfter = (error: HpcaiError): number | undefined => {
        const retryAfterMs = error instanceof ApiStatusError ? error.retryAfterMs : undefined;
        const isWaitedFor = patience !== undefined && options.maxRetries > 0 &&
          isStatus(error, patience.statuses);
        if (isWaitedFor) {
          const delayMs = retryAfterMs ?? backoffMs(waits++, options, random);
          const endsAt = asyncScheduler.now() + delayMs;
          waitsSince ??= asyncScheduler.now();
          if (endsAt - waitsSince > patience.limitMs) return undefined;
          patience.onWait(delayMs);
          return delayMs;
        }
        if (!isRetried(error) || failures >= options.maxRetries) return undefined;
        const delayMs = retryAfterMs ?? backoffMs(failures, options, random);
        if (retryAfterMs !== undefined && retryAfterMs > options.maxRetryAfterMs) return undefined;
        failures++;
        return delayMs;
      };
      return source$.pipe(
        tap((value) => {
          if (isProgress(value)) failures = 0;
        }),
        retry({
          delay: (error) => {
            const delayMs = delayAfter(error);
            if (delayMs === undefined) return throwError(() => error);
            onRetry(error, delayMs);
            return timer(delayMs);
          },
        }),
      );
    });
}

function isStatus(error: unknown, statuses: readonly number[]): boolean {
  return error instanceof ApiStatusError && error.shouldRetry !== false &&
    statuses.includes(error.status);
}

/** A random part of the ceiling after `failures` earlier ones. */
export function backoffMs(
  failures: number,
  { initialDelayMs, maxDelayMs }: Pick<RetryOptions, "initialDelayMs" | "maxDelayMs">,
  random: () => number,
): number {
  return Math.round(random() * Math.min(maxDelayMs, initialDelayMs * 2 ** failures));
}
