/** How failed requests are retried. By default only time bounds the retries. */
export interface RetryOptions {
  /**
   * How many times in a row a request is retried; an integer from 0, or `Infinity`. Default `Infinity`.
   */
  readonly maxRetries: number;
  /**
   * How long after its first failure a call is still retried, in milliseconds. The last attempt begins at
   * that time. Default 30 000.
   */
  readonly maxElapsedMs: number;
  /**
   * How long an interrupted transfer is retried while no byte is received, in milliseconds. Default
   * 300 000.
   */
  readonly maxInterruptionMs: number;
  /**
   * The ceiling of the first random delay, in milliseconds; it doubles with each failure. Default 500.
   */
  readonly initialDelayMs: number;
  /** The highest ceiling, in milliseconds. Default 10 000. */
  readonly maxDelayMs: number;
  /**
   * The longest `Retry-After` that the client waits for, in milliseconds. An error with a longer one,
   * its `retryAfterMs`, is not retried. Default 60 000.
   */
  readonly maxRetryAfterMs: number;
}

/** The options of a `RestClient`. Each has a default. */
export interface RestClientOptions {
  /**
   * The API key, or a function that returns it for each attempt. Default: the environment variable
   * `HPCAI_API_KEY`, where the runtime can read it without a prompt. Not needed with a relative
   * `baseUrl`, since the page's own server adds the key then.
   *
   * If the function fails, the operation fails with an {@linkcode InvalidArgumentError} whose `cause` is
   * the function's error; it is not retried.
   */
  readonly apiKey?: string | (() => string | Promise<string>) | undefined;
  /**
   * The URL of the API; the paths of requests are appended to its path. Default: the environment
   * variable `HPCAI_BASE_URL`, then `https://www.hpc-ai.com/finetunesdk`. In browsers a
   * relative URL names a proxy on the page's own origin.
   *
   * A key from the environment is sent only to the URL from the environment: in Deno, which may be able
   * to read one variable and not the other, `HPCAI_BASE_URL` must be readable then.
   */
  readonly baseUrl?: string | URL | undefined;
  /**
   * Sends each HTTP request, redirects included, immediately after its `request` event. Default:
   * `globalThis.fetch`, looked up at each call. If it throws or rejects, the connection has failed, and
   * the request is retried. If it returns something other than an unread `Response`, the operation fails
   * without a retry.
   */
  readonly fetch?: typeof fetch | undefined;
  /** Headers of each request to the API's origin; other servers do not receive them. */
  readonly headers?: RequestInit["headers"];
  /**
   * How long one attempt may take, in milliseconds: up to the end of a JSON response, or up to the
   * headers of an archive. The time in the queue does not count. Default 60 000.
   */
  readonly timeoutMs?: number | undefined;
  /**
   * How many requests of this client may be in flight, up to the end of a JSON response or up to the
   * headers of an archive; a positive integer. Others, and further attempts, wait in a queue. The
   * endpoints take turns, so that many requests to one do not delay another. Default 8.
   *
   * The same number of archives may be transferred concurrently, each from its first request to its last
   * byte. They are counted separately, so that a slow transfer does not delay listings. To read an
   * archive from within the reading of another, the limit must be at least 2.
   */
  readonly maxConcurrentRequests?: number | undefined;
  /**
   * How large a JSON response may be, in bytes after the content coding is removed; a positive integer.
   * With a larger one the operation fails with a {@linkcode LimitExceededError}. Default 64 MiB.
   */
  readonly maxJsonBytes?: number | undefined;
  /** How failed requests are retried; `false` for never. */
  readonly retry?: Partial<RetryOptions> | false | undefined;
  /** Whether `http:` is allowed to hosts that are not loopback. Default false. */
  readonly allowInsecureHttp?: boolean | undefined;
}

/** The options of a client that {@linkcode RestClient.with} can replace. */
export type ClientOverrides = Pick<RestClientOptions, "timeoutMs" | "retry" | "headers">;
