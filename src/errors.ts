/**
 * The root of all errors that this package makes, so that `error instanceof HpcaiError` tells them
 * from the rest. No error holds the API key or the query of a signed URL.
 */
export class HpcaiError extends Error {
  /** The name of the class, which survives minification. */
  override name = "HpcaiError";
}

/** An argument or option is invalid. No request was sent. */
export class InvalidArgumentError extends HpcaiError {
  /** The name of the class. */
  override name = "InvalidArgumentError";
  /** The argument or option at fault, for example `limit` or `apiKey`. */
  readonly argument: string;

  /**
   * Makes the error.
   *
   * @param argument The argument or option at fault.
   * @param problem What is wrong with it and what would be right; a whole clause.
   * @param options The `cause`, if the argument is a function that failed.
   */
  constructor(argument: string, problem: string, options?: ErrorOptions) {
    super(`${argument}: ${problem}`, options);
    this.argument = argument;
  }
}

/** A text is not a checkpoint path. No request was sent. */
export class InvalidCheckpointPathError extends InvalidArgumentError {
  /** The name of the class. */
  override name = "InvalidCheckpointPathError";
}

/** What is known of a request that failed. */
export interface RequestContext {
  /** The HTTP method. */
  readonly method: string;
  /** The request's URL without its query, since a signed URL's query is a secret. */
  readonly requestUrl: string;
}

/**
 * Why no attempt can succeed: the server's certificate is invalid (`certificate`), the runtime has no
 * permission to connect (`permission`: Deno's `--allow-net`), `fetch` blocks the port (`port`: the
 * Fetch standard, section "Port blocking"), or the option `fetch` gives something other than an unread
 * `Response` (`fetch`).
 */
export type ConnectionObstacle = "certificate" | "permission" | "port" | "fetch";

/** What an {@linkcode ApiConnectionError} can be told besides its message and request. */
export interface ConnectionErrorOptions extends ErrorOptions {
  /** Why no attempt can succeed, where that is known. */
  readonly obstacle?: ConnectionObstacle | undefined;
}

/**
 * No response was received: the connection failed or was lost. It is retried before it surfaces,
 * unless it has an `obstacle`.
 */
export class ApiConnectionError extends HpcaiError {
  /** The name of the class. */
  override name = "ApiConnectionError";
  /** The HTTP method of the request. */
  readonly method: string;
  /** The request's URL without its query. */
  readonly requestUrl: string;
  /** Why no attempt can succeed; `undefined` where another one may. */
  readonly obstacle: ConnectionObstacle | undefined;

  /**
   * Makes the error.
   *
   * @param message What happened.
   * @param request The request that failed.
   * @param options The `cause`, already free of secrets, and the `obstacle`.
   */
  constructor(message: string, request: RequestContext, options?: ConnectionErrorOptions) {
    super(`${message} (${request.method} ${request.requestUrl})`, options);
    this.method = request.method;
    this.requestUrl = request.requestUrl;
    this.obstacle = options?.obstacle;
  }
}

/** No answer came within the time limit. It is tried again before it surfaces. */
export class ApiTimeoutError extends ApiConnectionError {
  /** The name of the class. */
  override name = "ApiTimeoutError";
}

/** A redirect that must not, or cannot, be followed. It is not tried again. */
export class ApiRedirectError extends ApiConnectionError {
  /** The name of the class. */
  override name = "ApiRedirectError";
}

/** What an error status said. */
export interface ApiStatus extends RequestContext {
  /** The HTTP status code. */
  readonly status: number;
  /** What the server says is wrong, or a description of its answer. */
  readonly message: string;
  /** The server's own error code, where it sent one. */
  readonly code?: string | undefined;
  /** Whatever else the server sent, as parsed JSON. */
  readonly details?: unknown;
  /** How long the server asks to wait (`retry-after-ms`, `Retry-After`), in milliseconds. */
  readonly retryAfterMs?: number | undefined;
  /** Whether the server asks for another attempt (`x-should-retry`), where it says. */
  readonly shouldRetry?: boolean | undefined;
  /** Whether the request followed a redirect or a signed URL. Default false. */
  readonly isRedirected?: boolean | undefined;
}

/** The server answered with an error status. The subclasses name the statuses worth telling apart. */
export class ApiStatusError extends HpcaiError {
  /** The name of the class. */
  override name = "ApiStatusError";
  /** The HTTP status code. */
  readonly status: number;
  /**
   * The server's own error code, where it sent one: `error` in a JSON body, `Code` in the XML of an
   * object store.
   */
  readonly code: string | undefined;
  /** Whatever else the server sent in `details` or `detail`, as parsed JSON. */
  readonly details: unknown;
  /** How long the server asks to wait (`retry-after-ms`, `Retry-After`), in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /**
   * Whether the server asks for another attempt (`x-should-retry`), where it says. The client obeys:
   * `true` makes any status one to retry, `false` none.
   */
  readonly shouldRetry: boolean | undefined;
  /**
   * Whether the request followed a redirect or a signed URL, so that the response need not be the
   * API's own.
   */
  readonly isRedirected: boolean;
  /** The HTTP method of the request. */
  readonly method: string;
  /** The request's URL without its query. */
  readonly requestUrl: string;

  /**
   * Makes the error.
   *
   * @param answer What the server answered.
   */
  constructor(answer: ApiStatus) {
    super(`HTTP ${answer.status}: ${answer.message} (${answer.method} ${answer.requestUrl})`);
    this.status = answer.status;
    this.code = answer.code;
    this.details = answer.details;
    this.retryAfterMs = answer.retryAfterMs;
    this.shouldRetry = answer.shouldRetry;
    this.isRedirected = answer.isRedirected ?? false;
    this.method = answer.method;
    this.requestUrl = answer.requestUrl;
  }
}

/** 400: the server cannot take the request as it is; the message often holds a hint. */
export class BadRequestError extends ApiStatusError {
  /** The name of the class. */
  override name = "BadRequestError";
}

/** 401: the API key is missing, wrong or revoked. */
export class AuthenticationError extends ApiStatusError {
  /** The name of the class. */
  override name = "AuthenticationError";
}

/** 403: the key is right but may not do this, or a signed URL has run out. */
export class PermissionDeniedError extends ApiStatusError {
  /** The name of the class. */
  override name = "PermissionDeniedError";
}

/** 404: no such training run or checkpoint. */
export class NotFoundError extends ApiStatusError {
  /** The name of the class. */
  override name = "NotFoundError";
}

/** 409: the request collides with the state of the resource. */
export class ConflictError extends ApiStatusError {
  /** The name of the class. */
  override name = "ConflictError";
}

/** 422: the server understood the request but refuses a value in it. */
export class UnprocessableEntityError extends ApiStatusError {
  /** The name of the class. */
  override name = "UnprocessableEntityError";
}

/** 429: too many requests; `retryAfterMs` says how long to wait where the server does. */
export class RateLimitError extends ApiStatusError {
  /** The name of the class. */
  override name = "RateLimitError";
}

/** 5xx: the server, or a proxy before it, failed. */
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
export function apiStatusError(answer: ApiStatus): ApiStatusError {
  const StatusError = STATUS_ERRORS[answer.status] ??
    (answer.status >= 500 ? InternalServerError : ApiStatusError);
  return new StatusError(answer);
}

/** A success status, but its body is not what the API promises. */
export class ApiResponseValidationError extends HpcaiError {
  /** The name of the class. */
  override name = "ApiResponseValidationError";
  /** Where the first fault is, for example `training_runs[3].is_lora`; empty for the whole body. */
  readonly path: string;
  /** The beginning of the body. */
  readonly excerpt: string;
  /** The HTTP method of the request. */
  readonly method: string;
  /** The request's URL without its query. */
  readonly requestUrl: string;

  /**
   * Makes the error.
   *
   * @param problem What is wrong; a whole clause.
   * @param path Where the first fault is; empty for the whole body.
   * @param excerpt The beginning of the body, already free of secrets.
   * @param request The request that was answered so.
   */
  constructor(problem: string, path: string, excerpt: string, request: RequestContext) {
    super(
      `The answer is not what the API promises: ${path === "" ? "" : `${path}: `}${problem} ` +
        `(${request.method} ${request.requestUrl} answered ${
          excerpt === "" ? "nothing" : excerpt
        })`,
    );
    this.path = path;
    this.excerpt = excerpt;
    this.method = request.method;
    this.requestUrl = request.requestUrl;
  }
}

/** A download ended before the whole archive was there, or brought more than was announced. */
export class DownloadInterruptedError extends HpcaiError {
  /** The name of the class. */
  override name = "DownloadInterruptedError";
  /** How many bytes had arrived. */
  readonly loaded: number;
  /** How many bytes the archive has, where the server said so. */
  readonly total: number | undefined;

  /**
   * Makes the error.
   *
   * @param problem What happened; a whole clause.
   * @param loaded How many bytes had arrived.
   * @param total How many bytes the archive has, if known.
   * @param options The `cause`, already free of secrets.
   */
  constructor(
    problem: string,
    loaded: number,
    total: number | undefined,
    options?: ErrorOptions,
  ) {
    super(
      `The download was interrupted after ${loaded} of ${total ?? "an unknown number of"} bytes: ` +
        problem,
      options,
    );
    this.loaded = loaded;
    this.total = total;
  }
}

/** A transfer was slower than `minBytesPerSecond` allows. It is not retried. */
export class TransferTooSlowError extends DownloadInterruptedError {
  /** The name of the class. */
  override name = "TransferTooSlowError";
  /** How fast it was, in bytes per second. */
  readonly bytesPerSecond: number;
  /** How fast it had to be, in bytes per second. */
  readonly minBytesPerSecond: number;

  /**
   * Makes the error.
   *
   * @param bytesPerSecond How fast the transfer was, in bytes per second.
   * @param minBytesPerSecond How fast it had to be, in bytes per second.
   * @param loaded How many bytes had arrived.
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
 * A listing may have missed something: what it lists changed during every pass, or the server lists
 * fewer than it counts, or has no end.
 */
export class InconsistentListingError extends HpcaiError {
  /** The name of the class. */
  override name = "InconsistentListingError";
}

/** An archive is broken, or no archive at all: its gzip or its tar cannot be read. */
export class InvalidArchiveError extends HpcaiError {
  /** The name of the class. */
  override name = "InvalidArchiveError";

  /**
   * Makes the error.
   *
   * @param problem What is wrong with the archive; a whole clause.
   * @param options The `cause`, already free of secrets.
   */
  constructor(problem: string, options?: ErrorOptions) {
    super(`The archive cannot be read: ${problem}`, options);
  }
}

/** An archive was refused: it could do harm, or what it holds cannot be read right. */
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
   */
  constructor(entry: string, reason: string) {
    super(`The archive was refused, because of its entry ${JSON.stringify(entry)}: ${reason}`);
    this.entry = entry;
    this.reason = reason;
  }
}

/** An archive has no file of that name. */
export class ArchiveEntryNotFoundError extends HpcaiError {
  /** The name of the class. */
  override name = "ArchiveEntryNotFoundError";
  /** The name that was looked for. */
  readonly path: string;

  /**
   * Makes the error.
   *
   * @param path The name that was looked for.
   */
  constructor(path: string) {
    super(`The archive has no file ${JSON.stringify(path)}; archiveEntries$ lists all`);
    this.path = path;
  }
}

/** Something is larger than an option allows. It is not retried. */
export class LimitExceededError extends HpcaiError {
  /** The name of the class. */
  override name = "LimitExceededError";
  /** The option that sets the limit, for example `maxJsonBytes`. */
  readonly option: string;
  /** The limit, in the unit that the option's name says. */
  readonly limit: number;

  /**
   * Makes the error.
   *
   * @param option The option that sets the limit.
   * @param limit The limit.
   * @param problem What exceeds it; a whole clause.
   * @param errorOptions The `cause`, already free of secrets.
   */
  constructor(option: string, limit: number, problem: string, errorOptions?: ErrorOptions) {
    super(`${problem}; the option ${option} sets the limit ${limit}`, errorOptions);
    this.option = option;
    this.limit = limit;
  }
}
