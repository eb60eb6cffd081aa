/** The optional facts of an {@linkcode HpcaiError}. */
export interface HpcaiErrorOptions extends ErrorOptions {
  /** What to do next: one or more whole sentences. */
  readonly advice?: string | undefined;
}

/**
 * The base class of all errors of this package. None contains the API key or the query of a signed URL.
 *
 * The facts are fields. `message` is built from them: `problem`, the request of an {@linkcode ApiError},
 * and `advice`.
 */
export class HpcaiError extends Error {
  /** The name of the class, which survives minification. */
  override name = "HpcaiError";
  /** What failed and why, without a full stop. */
  readonly problem: string;
  /** What to do next, in one or more whole sentences, where there is something to do. */
  readonly advice: string | undefined;

  /**
   * Makes the error.
   *
   * @param problem What failed and why, without a full stop.
   * @param options The `advice`, and the `cause`, already free of secrets.
   * @param suffix What the message adds to the problem before the advice.
   */
  constructor(problem: string, options?: HpcaiErrorOptions, suffix = "") {
    const advice = options?.advice;
    super(problem + suffix + (advice ? `. ${advice}` : ""), options);
    this.problem = problem;
    this.advice = advice;
  }
}

/** An argument or option is invalid. No request was sent. */
export class InvalidArgumentError extends HpcaiError {
  /** The name of the class. */
  override name = "InvalidArgumentError";
  /** The argument or option at fault, for example `limit` or `apiKey`. */
  readonly argument: string;
  /** What is wrong with it: the problem without the argument's name. */
  readonly reason: string;

  /**
   * Makes the error.
   *
   * @param argument The argument or option at fault.
   * @param reason What is wrong with it, a clause whose subject is the argument: `must be a positive
   * integer, got 1.5`.
   * @param options The `advice`, and the `cause`, if the argument is a function that failed.
   */
  constructor(argument: string, reason: string, options?: HpcaiErrorOptions) {
    super(`${argument} ${reason}`, options);
    this.argument = argument;
    this.reason = reason;
  }
}

/** A text is not a checkpoint path. No request was sent. */
export class InvalidCheckpointPathError extends InvalidArgumentError {
  /** The name of the class. */
  override name = "InvalidCheckpointPathError";
}

/** What identifies a request that failed. */
export interface ApiRequestInfo {
  /** The HTTP method. */
  readonly method: string;
  /** The request's URL without its query, since a signed URL's query is a secret. */
  readonly requestUrl: string;
  /** The id that the server gave the request, where a response had one. */
  readonly requestId?: string | undefined;
}

/** A request failed: the base of the errors that a server or the network causes. */
export class ApiError extends HpcaiError {
  /** The name of the class. */
  override name = "ApiError";
  /** The HTTP method of the request. */
  readonly method: string;
  /** The request's URL without its query. */
  readonly requestUrl: string;
  /**
   * The id that the server gave the request (`x-request-id`, `request-id`, `cf-ray` and others, the
   * first found), for a report to its operator; `undefined` where no response had one.
   */
  readonly requestId: string | undefined;

  /**
   * Makes the error.
   *
   * @param problem What failed and why, without a full stop.
   * @param request The request that failed.
   * @param options The `advice`, and the `cause`, already free of secrets.
   */
  constructor(problem: string, request: ApiRequestInfo, options?: HpcaiErrorOptions) {
    const { method, requestUrl, requestId } = request;
    super(problem, options, ` (${method} ${requestUrl})`);
    this.method = method;
    this.requestUrl = requestUrl;
    this.requestId = requestId;
  }
}

/**
 * Why no attempt can succeed: the server's certificate is invalid (`certificate`), the runtime has no
 * permission to connect (`permission`: Deno's `--allow-net`), `fetch` blocks the port (`port`: the
 * Fetch standard, section "Port blocking"), or the option `fetch` gives something other than an unread
 * `Response` (`fetch`).
 */
export type ConnectionObstacle = "certificate" | "permission" | "port" | "fetch";

/** The optional facts of an {@linkcode ApiConnectionError}. */
export interface ApiConnectionErrorOptions extends HpcaiErrorOptions {
  /** Why no attempt can succeed, where that is known. */
  readonly obstacle?: ConnectionObstacle | undefined;
  /** The environment variable of a proxy that the runtime ignored. */
  readonly ignoredProxy?: string | undefined;
}

/**
 * No response was received: the connection failed or was lost. The request is retried before this error
 * surfaces, unless it has an `obstacle`.
 */
export class ApiConnectionError extends ApiError {
  /** The name of the class. */
  override name = "ApiConnectionError";
  /** Why no attempt can succeed; `undefined` where another one may. */
  readonly obstacle: ConnectionObstacle | undefined;
  /**
   * The environment variable of a proxy that the runtime ignored, such as `HTTPS_PROXY` in Node without
   * `NODE_USE_ENV_PROXY=1`; `undefined` where none is set, or that cannot be known.
   */
  readonly ignoredProxy: string | undefined;

  /**
   * Makes the error.
   *
   * @param problem What failed and why, without a full stop.
   * @param request The request that failed.
   * @param options The `advice`, the `cause`, already free of secrets, the `obstacle` and
   * the `ignoredProxy`.
   */
  constructor(problem: string, request: ApiRequestInfo, options?: ApiConnectionErrorOptions) {
    super(problem, request, options);
    this.obstacle = options?.obstacle;
    this.ignoredProxy = options?.ignoredProxy;
  }
}

/** The request timed out. It is retried before this error surfaces. */
export class ApiTimeoutError extends ApiConnectionError {
  /** The name of the class. */
  override name = "ApiTimeoutError";
}

/** A redirect cannot, or must not, be followed. The request is not retried. */
export class ApiRedirectError extends ApiConnectionError {
  /** The name of the class. */
  override name = "ApiRedirectError";
}

/** A response with an error status. */
export interface ApiStatus extends ApiRequestInfo {
  /** The HTTP status code. */
  readonly status: number;
  /** The server's own message, or a description of its response. */
  readonly message: string;
  /** The server's own error code, where it sent one. */
  readonly code?: string | undefined;
  /** What else the server sent, as parsed JSON. */
  readonly details?: unknown;
  /** The value of `retry-after-ms` or `Retry-After`, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
  /** The value of `x-should-retry`, where the server sent it. */
  readonly shouldRetry?: boolean | undefined;
  /** Whether the request followed a redirect or a signed URL. Default false. */
  readonly isRedirected?: boolean | undefined;
  /** The response's headers, already free of secrets. Default none. */
  readonly headers?: Headers | undefined;
  /** What to do next, in whole sentences. */
  readonly advice?: string | undefined;
}

/** The response has an error status. There is a subclass for each status that apps often distinguish. */
export class ApiStatusError extends ApiError {
  /** The name of the class. */
  override name = "ApiStatusError";
  /** The HTTP status code. */
  readonly status: number;
  /**
   * The server's own error code, where it sent one: `error` in a JSON body, `Code` in the XML of an
   * object store.
   */
  readonly code: string | undefined;
  /** What the server sent in `details` or `detail`, as parsed JSON. */
  readonly details: unknown;
  /** The value of `retry-after-ms` or `Retry-After`, in milliseconds, where the server sent one. */
  readonly retryAfterMs: number | undefined;
  /**
   * The value of `x-should-retry`, where the server sent it. With `true` the client retries any status,
   * with `false` none.
   */
  readonly shouldRetry: boolean | undefined;
  /**
   * Whether the request followed a redirect or a signed URL, so that the response may come from another
   * server than the API.
   */
  readonly isRedirected: boolean;
  /** A copy of the response's headers without secrets and `Set-Cookie`. */
  readonly headers: Headers;

  /**
   * Makes the error.
   *
   * @param response The response and its request.
   */
  constructor(response: ApiStatus) {
    super(`HTTP ${response.status}: ${response.message}`, response, { advice: response.advice });
    this.status = response.status;
    this.code = response.code;
    this.details = response.details;
    this.retryAfterMs = response.retryAfterMs;
    this.shouldRetry = response.shouldRetry;
    this.isRedirected = response.isRedirected ?? false;
    this.headers = response.headers ?? new Headers();
  }
}

/** 400: the request is invalid. */
export class BadRequestError extends ApiStatusError {
  /** The name of the class. */
  override name = "BadRequestError";
}

/** 401: the API key is missing, wrong or revoked. */
export class AuthenticationError extends ApiStatusError {
  /** The name of the class. */
  override name = "AuthenticationError";
}

/** 403: the key lacks the permission, or a signed URL has expired. */
export class PermissionDeniedError extends ApiStatusError {
  /** The name of the class. */
  override name = "PermissionDeniedError";
}

/** 404: no such training run or checkpoint. */
export class NotFoundError extends ApiStatusError {
  /** The name of the class. */
  override name = "NotFoundError";
}

/** 409: the request conflicts with the state of the resource. */
export class ConflictError extends ApiStatusError {
  /** The name of the class. */
  override name = "ConflictError";
}

/** 422: a value in the request is invalid. */
export class UnprocessableEntityError extends ApiStatusError {
  /** The name of the class. */
  override name = "UnprocessableEntityError";
}

/** 429: too many requests; `retryAfterMs` is how long to wait, where the server sent it. */
export class RateLimitError extends ApiStatusError {
  /** The name of the class. */
  override name = "RateLimitError";
}

/** 5xx: the server, or a proxy in front of it, failed. */
export class InternalServerError extends ApiStatusError {
  /** The name of the class. */
  override name = "InternalServerError";
}

const STATUS_ERRORS: Readonly<Record<number, typeof ApiStatusError>> = {
  400: BadRequestError,
  401: AuthenticationError,
  403: PermissionDeniedError,
  404: NotFoundError,
  409: ConflictError,
  422: UnprocessableEntityError,
  429: RateLimitError,
};

/** Makes the error whose class fits the status. */
export function apiStatusError(response: ApiStatus): ApiStatusError {
  const StatusError = STATUS_ERRORS[response.status] ??
    (response.status >= 500 ? InternalServerError : ApiStatusError);
  return new StatusError(response);
}

/** A response has a success status, but its body is not what the API's reference documents. */
export class ApiResponseValidationError extends ApiError {
  /** The name of the class. */
  override name = "ApiResponseValidationError";
  /**
   * The place of the first invalid value, for example `training_runs[3].is_lora`; empty for the whole
   * body.
   */
  readonly path: string;
  /** The beginning of the body. */
  readonly excerpt: string;

  /**
   * Makes the error.
   *
   * @param reason What is wrong; a whole clause.
   * @param path The place of the first invalid value; empty for the whole body.
   * @param excerpt The beginning of the body, already free of secrets.
   * @param request The request that got the response.
   * @param options The `advice`, and the `cause`, already free of secrets.
   */
  constructor(
    reason: string,
    path: string,
    excerpt: string,
    request: ApiRequestInfo,
    options?: HpcaiErrorOptions,
  ) {
    super(
      `The response is invalid: ${path && `${path}: `}${reason}; received ${
        excerpt || "an empty body"
      }`,
      request,
      options,
    );
    this.path = path;
    this.excerpt = excerpt;
  }
}

/** A download ended before the whole archive was received, or the server sent more bytes than it has. */
export class DownloadInterruptedError extends HpcaiError {
  /** The name of the class. */
  override name = "DownloadInterruptedError";
  /** How many bytes were received. */
  readonly loaded: number;
  /** How many bytes the archive has, where the server sent that. */
  readonly total: number | undefined;

  /**
   * Makes the error.
   *
   * @param reason What happened; a whole clause.
   * @param loaded How many bytes were received.
   * @param total How many bytes the archive has, if known.
   * @param options The `advice`, and the `cause`, already free of secrets.
   */
  constructor(
    reason: string,
    loaded: number,
    total: number | undefined,
    options?: HpcaiErrorOptions,
  ) {
    super(
      `The download was interrupted after ${loaded} of ${total ?? "an unknown number of"} bytes: ` +
        reason,
      options,
    );
    this.loaded = loaded;
    this.total = total;
  }
}

/** A transfer was slower than `minBytesPerSecond`. It is not retried. */
export class TransferTooSlowError extends DownloadInterruptedError {
  /** The name of the class. */
  override name = "TransferTooSlowError";
  /** The measured rate, in bytes per second. */
  readonly bytesPerSecond: number;
  /** The lowest allowed rate, in bytes per second. */
  readonly minBytesPerSecond: number;

  /**
   * Makes the error.
   *
   * @param bytesPerSecond The measured rate, in bytes per second.
   * @param minBytesPerSecond The lowest allowed rate, in bytes per second.
   * @param loaded How many bytes were received.
   * @param total How many bytes the archive has, if known.
   */
  constructor(
    bytesPerSecond: number,
    minBytesPerSecond: number,
    loaded: number,
    total: number | undefined,
  ) {
    const rate = Math.floor(bytesPerSecond);
    super(
      `the server sent ${rate} bytes per second, less than minBytesPerSecond (${minBytesPerSecond})`,
      loaded,
      total,
    );
    this.bytesPerSecond = bytesPerSecond;
    this.minBytesPerSecond = minBytesPerSecond;
  }
}

/**
 * A listing may be incomplete: what it lists changed during every pass, the server lists fewer items
 * than it counts, or the listing has no end.
 */
export class InconsistentListingError extends HpcaiError {
  /** The name of the class. */
  override name = "InconsistentListingError";
}

/** An archive is damaged, or the bytes are no archive: the gzip or the tar is invalid. */
export class InvalidArchiveError extends HpcaiError {
  /** The name of the class. */
  override name = "InvalidArchiveError";
  /** What is wrong with the archive; a whole clause. */
  readonly reason: string;

  /**
   * Makes the error.
   *
   * @param reason What is wrong with the archive; a whole clause.
   * @param options The `advice`, and the `cause`, already free of secrets.
   */
  constructor(reason: string, options?: HpcaiErrorOptions) {
    super(`Cannot read the archive: ${reason}`, options);
    this.reason = reason;
  }
}

/** An entry of an archive is unsafe, or not supported. */
export class UnsafeArchiveError extends HpcaiError {
  /** The name of the class. */
  override name = "UnsafeArchiveError";
  /** The entry at fault, by its name in the archive. */
  readonly entry: string;
  /** What is wrong with it; a whole clause. */
  readonly reason: string;

  /**
   * Makes the error.
   *
   * @param entry The entry at fault, by its name in the archive.
   * @param reason What is wrong with it; a whole clause.
   * @param options The `advice`, and the `cause`, already free of secrets.
   */
  constructor(entry: string, reason: string, options?: HpcaiErrorOptions) {
    super(`Cannot accept the archive's entry ${JSON.stringify(entry)}: ${reason}`, options);
    this.entry = entry;
    this.reason = reason;
  }
}

/** An archive has no file of that name. */
export class ArchiveEntryNotFoundError extends HpcaiError {
  /** The name of the class. */
  override name = "ArchiveEntryNotFoundError";
  /** The requested name. */
  readonly path: string;

  /**
   * Makes the error.
   *
   * @param path The requested name.
   */
  constructor(path: string) {
    super(`The archive has no file ${JSON.stringify(path)}`, {
      advice: "List its entries with archiveEntries$.",
    });
    this.path = path;
  }
}

/** An archive or a response is larger than an option allows. It is not retried. */
export class LimitExceededError extends HpcaiError {
  /** The name of the class. */
  override name = "LimitExceededError";
  /** The option that sets the limit, for example `maxJsonBytes`. */
  readonly option: string;
  /** The limit, in the unit that the option's name ends with. */
  readonly limit: number;

  /**
   * Makes the error.
   *
   * @param option The option that sets the limit.
   * @param limit The limit.
   * @param subject What exceeds it: `The archive`.
   * @param options The `advice`, and the `cause`, already free of secrets.
   */
  constructor(option: string, limit: number, subject: string, options?: HpcaiErrorOptions) {
    super(`${subject} exceeds ${option} (${limit})`, {
      advice: `Increase ${option} if that size is expected.`,
      ...options,
    });
    this.option = option;
    this.limit = limit;
  }
}
