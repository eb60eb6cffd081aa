import {
  ApiConnectionError,
  ApiRedirectError,
  ApiStatusError,
  InternalServerError,
  InvalidArgumentError,
  NotFoundError,
} from "../errors.ts";

/**
 * What follows a failed attempt: another attempt that counts as a retry (`retry`), another one that
 * does not, since the server is still building the archive (`wait`), or none (`fail`).
 */
export type RetryDecision = "retry" | "wait" | "fail";

/** Decides what follows an error. It may count errors, so each run of an operation needs a new one. */
export type RetryPolicy = (error: unknown) => RetryDecision;

/** How often a call replaces a signed URL that the storage refuses. */
const MAX_RENEWALS = 3;

/**
 * The policy of a call: transient errors are retried, and expired signed URLs too, since another
 * attempt requests a new one.
 */
export function callPolicy(): RetryPolicy {
  let renewals = 0;
  return (error) =>
    isTransient(error) || isExpiredUrl(error) && ++renewals <= MAX_RENEWALS ? "retry" : "fail";
}

/** The policy of a call that opens an archive, which the server may still be building. */
export function archivePolicy(): RetryPolicy {
  const decide = callPolicy();
  return (error) => isPreparing(error) ? "wait" : decide(error);
}

/**
 * The policy of a transfer, which consists of calls that have retried already: only an interruption is
 * retried, and only while the transfer can resume, or restart.
 */
export function transferPolicy(
  isInterruption: (error: unknown) => boolean,
  canContinue: () => boolean,
): RetryPolicy {
  return (error) => isInterruption(error) && canContinue() ? "retry" : "fail";
}

/**
 * The policy of a watch: all errors are retried but those that another poll cannot change.
 *
 * @param isOneRun Whether it watches one run, so that a 404 cannot change.
 */
export function watchPolicy(isOneRun: boolean): RetryPolicy {
  const fatal = isOneRun ? [401, 403, 404] : [401, 403];
  return (error) =>
    error instanceof InvalidArgumentError ||
      error instanceof ApiStatusError && fatal.includes(error.status)
      ? "fail"
      : "retry";
}

/**
 * Whether another attempt may succeed: the connection failed, the attempt timed out, or the status stands
 * for a temporary state. `x-should-retry` overrides the status.
 */
export function isTransient(error: unknown): error is ApiConnectionError | ApiStatusError {
  if (error instanceof ApiConnectionError) {
    return !(error instanceof ApiRedirectError) && error.obstacle === undefined;
  }
  if (!(error instanceof ApiStatusError)) return false;
  const { status, shouldRetry } = error;
  return shouldRetry ??
    ([408, 409, 425, 429].includes(status) || status >= 500 && status !== 501 && status !== 505);
}

/** Whether the server is still building an archive. */
function isPreparing(error: unknown): boolean {
  return error instanceof ApiStatusError && error.shouldRetry !== false &&
    (error.status === 425 || error.status === 503);
}

/**
 * Whether a signed URL has expired: a storage refuses it with 401 or 403, or with 400 and a code such
 * as `ExpiredToken`.
 */
function isExpiredUrl(error: unknown): boolean {
  if (!(error instanceof ApiStatusError && error.isRedirected)) return false;
  const { status, code = "", shouldRetry } = error;
  return shouldRetry !== false &&
    (status === 401 || status === 403 ||
      status === 400 && /Expired|Token|^AccessDenied$/.test(code));
}

/** The value of `retry-after-ms` or `Retry-After`, in milliseconds, where the server sent one. */
export function requestedDelayMs(error: unknown): number | undefined {
  // 0 counts as none, since retries without a wait would overload the server.
  return error instanceof ApiStatusError && error.retryAfterMs || undefined;
}

/** Whether the server may have done what the failed attempt requested: its response was lost. */
export function mayHaveSucceeded(error: unknown): boolean {
  return error instanceof ApiConnectionError || error instanceof InternalServerError;
}

/** Whether what was to be deleted does not exist. */
export function isAlreadyDeleted(error: unknown): boolean {
  return error instanceof NotFoundError;
}
