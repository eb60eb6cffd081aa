import {
  asyncScheduler,
  defer,
  type MonoTypeOperatorFunction,
  retry,
  tap,
  throwError,
  timer,
} from "rxjs";
import type { HpcaiError } from "../errors.ts";
import type { RetryOptions } from "../options.ts";
import { requestedDelayMs, type RetryPolicy } from "./retry_policy.ts";

/** How to wait while the server builds an archive, which a policy decides with `wait`. */
export interface Preparation {
  /** The longest wait from the first such error, in milliseconds. */
  readonly limitMs: number;
  /** Called with the milliseconds until the next attempt. */
  onWait(delayMs: number): void;
}

/** What `retryWithBackoff` depends on besides counts and delays. */
export interface RetryBehaviour<T> {
  /** Decides what follows an error. */
  readonly policy: RetryPolicy;
  /** Called with the error of an attempt that is retried or waited for, and the wait in milliseconds. */
  readonly onRetry?: (error: HpcaiError, delayMs: number) => void;
  /** Without it, and without retries, `wait` is treated as `retry`. */
  readonly preparation?: Preparation | undefined;
  /**
   * Returns how long retries continue without progress, in milliseconds: from the last progress, or
   * from the first error where there was none. Default `maxElapsedMs`.
   */
  readonly retryForMs?: () => number;
  /** Whether a value resets count and time. Default: all do. */
  readonly isProgress?: (value: T) => boolean;
  /** Returns numbers from 0 up to but not including 1. */
  readonly random?: () => number;
}

/**
 * Resubscribes after the errors that the policy retries, until `retryForMs` have passed without
 * progress, and at most `maxRetries` times in a row.
 *
 * The wait is the server's `Retry-After`, or else a random part of an exponentially growing ceiling
 * ("full jitter"), so that many clients do not retry at the same time. A random wait that would exceed
 * `retryForMs` is shortened, so that the last attempt is made at that time. An error whose
 * `Retry-After` exceeds `maxRetryAfterMs` is not retried.
 */
export function retryWithBackoff<T>(
  options: RetryOptions,
  {
    policy,
    onRetry = () => {},
    preparation,
    retryForMs = () => options.maxElapsedMs,
    isProgress = () => true,
    random = Math.random,
  }: RetryBehaviour<T>,
): MonoTypeOperatorFunction<T> {
  return (source$) =>
    defer(() => {
      let waitsSince: number | undefined;
      let failsSince: number | undefined;
      let failures = 0;
      let waits = 0;
      const delayAfter = (error: HpcaiError): number | undefined => {
        const now = asyncScheduler.now();
        const requestedMs = requestedDelayMs(error);
        const decision = policy(error);
        if (decision === "wait" && preparation !== undefined && options.maxRetries > 0) {
          const delayMs = requestedMs ?? backoffMs(waits++, options, random);
          waitsSince ??= now;
          if (now + delayMs - waitsSince > preparation.limitMs) return undefined;
          preparation.onWait(delayMs);
          return delayMs;
        }
        if (decision === "fail" || failures >= options.maxRetries) return undefined;
        failsSince ??= now;
        const remainingMs = failsSince + retryForMs() - now;
        if (remainingMs <= 0 || (requestedMs ?? 0) > options.maxRetryAfterMs) return undefined;
        const backoff = backoffMs(failures++, options, random);
        return requestedMs ?? Math.min(backoff, remainingMs);
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

/** More doublings would give NaN where the first delay is 0. */
const MAX_DOUBLINGS = 30;

/** A random wait up to the ceiling for a number of failures, in milliseconds. */
export function backoffMs(
  failures: number,
  { initialDelayMs, maxDelayMs }: Pick<RetryOptions, "initialDelayMs" | "maxDelayMs">,
  random: () => number,
): number {
  return Math.round(
    random() * Math.min(maxDelayMs, initialDelayMs * 2 ** Math.min(failures, MAX_DOUBLINGS)),
  );
}
