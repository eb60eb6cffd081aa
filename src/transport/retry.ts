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
  /** Which errors are retried; default {@linkcode isTransient}. */
  readonly isRetried?: (error: unknown) => boolean;
  /** Is told of each failed attempt that another one follows, and of the wait in milliseconds. */
  readonly onRetry?: (error: HpcaiError, delayMs: number) => void;
  /** What is waited for without counting, unless nothing is to be retried. */
  readonly patience?: Patience | undefined;
  /**
   * Gives how long retries go on without progress, in milliseconds: from the last progress, or from the
   * first failure where there was none. Default `maxElapsedMs`.
   */
  readonly retryForMs?: () => number;
  /** Which values restore count and time; default all. */
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
 * Resubscribes after a transient error, until `retryForMs` have passed without progress, and at most
 * `maxRetries` times in a row: as late as the server asks for with `Retry-After`, else after a random
 * part of an exponentially growing ceiling ("full jitter"), so that many clients do not come back at
 * the same moment. A wait that would outlast the time is cut to its end, so that the last attempt is
 * made then. All other errors pass at once, and so does one whose `Retry-After` exceeds
 * `maxRetryAfterMs`.
 */
export function retryTransient<T>(
  options: RetryOptions,
  {
    isRetried = isTransient,
    onRetry = () => {},
    patience,
    retryForMs = () => options.maxElapsedMs,
    isProgress = () => true,
    random = Math.random,
  }: RetryBehaviour<T> = {},
): MonoTypeOperatorFunction<T> {
  return (source$) =>
    defer(() => {
      let waitsSince: number | undefined;
      let failsSince: number | undefined;
      let failures = 0;
      let waits = 0;
      const delayAfter = (error: HpcaiError): number | undefined => {
        const now = asyncScheduler.now();
        // 0 asks for no wait, of which a server that is busy would get thousands.
        const retryAfterMs = error instanceof ApiStatusError && error.retryAfterMs || undefined;
        const isWaitedFor = patience !== undefined && options.maxRetries > 0 &&
          isStatus(error, patience.statuses);
        if (isWaitedFor) {
          const delayMs = retryAfterMs ?? backoffMs(waits++, options, random);
          waitsSince ??= now;
          if (now + delayMs - waitsSince > patience.limitMs) return undefined;
          patience.onWait(delayMs);
          return delayMs;
        }
        if (!isRetried(error) || failures >= options.maxRetries) return undefined;
        failsSince ??= now;
        const remainingMs = failsSince + retryForMs() - now;
        if (remainingMs <= 0 || (retryAfterMs ?? 0) > options.maxRetryAfterMs) return undefined;
        const backoff = backoffMs(failures++, options, random);
        return retryAfterMs ?? Math.min(backoff, remainingMs);
      };
      return source$.pipe(
        tap((value) => {
          if (!isProgress(value)) return;
          failures = 0;
          failsSince = asyncScheduler.now();
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

/** More would be no number where the first delay is 0. */
const MAX_DOUBLINGS = 30;

/** A random part of the ceiling after `failures` earlier ones. */
export function backoffMs(
  failures: number,
  { initialDelayMs, maxDelayMs }: Pick<RetryOptions, "initialDelayMs" | "maxDelayMs">,
  random: () => number,
): number {
  return Math.round(
    random() * Math.min(maxDelayMs, initialDelayMs * 2 ** Math.min(failures, MAX_DOUBLINGS)),
  );
}
