/** How failed requests are retried. By default only time bounds the retries. */
export interface RetryOptions {
  /**
   * How many times in a row a request is retried; an integer from 0, or `Infinity`. Default `Infinity`.
   */
  readonly maxRetries: number;
  /**
   * How long after its first failure a call is still retried, in milliseconds. The last attempt is made
   * then. Default 30 000.
   */
  readonly maxElapsedMs: number;
  /**
   * How long a transfer that has received bytes is retried without receiving another one, in
   * milliseconds. Default 300 000.
   */
  readonly maxInterruptionMs: number;
  /** The ceiling of the first random delay, in milliseconds; it doubles with each. Default 500. */
  readonly initialDelayMs: number;
  /** The ceiling that the doubling stops at, in milliseconds. Default 10 000. */
  readonly maxDelayMs: number;
  /**
   * The longest wait that a server may ask for with `Retry-After`, in milliseconds. Past that the
   * error surfaces at once, with `retryAfterMs`. Default 60 000.
   */
  readonly maxRetryAfterMs: number;
}

/** What a `RestClient` can be told. Every option has a default. */
export interface RestClientOptions {
  /**
   * The API key, or a function that gives it for each attempt. Default: the environment variable
   * `HPCAI_API_KEY`, where the runtime has it and lets it be read without asking. Needless with a
   * relative `baseUrl`, since then the page's own server adds it.
   *
   * A function that fails ends the operation with an {@linkcode InvalidArgumentError}, whose `cause` is
   * the function's own error. It is not retried.
   */
  readonly apiKey?: string | (() => string | Promise<string>) | undefined;
  /**
   * Where the API is; paths of requests are appended to its path. Default: the environment variable
   * `HPCAI_BASE_URL`, then `https://www.hpc-ai.com/finetunesdk`. A relative URL is for browsers: it
   * names a proxy on the page's own origin.
   *
   * A key from the environment goes only where the environment says: in Deno, which may read one
   * variable and not the other, `HPCAI_BASE_URL` must be readable then.
   */
  readonly baseUrl?: string | URL | undefined;
  /**
   * What sends requests. Default: `globalThis.fetch`, looked up at each call. What it throws or
   * rejects with counts as a failed connection and is retried, since it cannot be told from one; that it
   * gives something other than an unread `Response` is not.
   */
  readonly fetch?: typeof fetch | undefined;
  /** Headers to send with each request to the API's origin, and to no other. */
  readonly headers?: RequestInit["headers"];
  /**
   * How long one attempt may take from when it is sent, in milliseconds: up to the end of a JSON
   * answer, or up to the headers of an archive. Default 60 000.
   */
  readonly timeoutMs?: number | undefined;
  /**
   * How many requests of this client may be under way at once, up to the end of a JSON answer or up
   * to the headers of an archive; a positive integer. The others wait, first come, first served, and so
   * does each further attempt; the endpoints take turns, so that a thousand requests for one hold up
   * none for another. Default 8.
   *
   * Besides, as many archives may be transferred at once, each from its first request to its last byte.
   * So an archive that is read slowly holds up no listing. To read one archive within another takes
   * room for both.
   */
  readonly maxConcurrentRequests?: number | undefined;
  /**
   * How large a JSON response may be, in bytes after the content coding is removed; a positive integer.
   * A larger one ends the operation with a {@linkcode LimitExceededError}. Default 64 MiB.
   */
  readonly maxJsonBytes?: number | undefined;
  /** How failed requests are retried; `false` for never. */
  readonly retry?: Partial<RetryOptions> | false | undefined;
  /** Whether `http:` is allowed to hosts that are not loopback. Default false. */
  readonly allowInsecureHttp?: boolean | undefined;
}

/** The options of a client that {@linkcode RestClient.with} can replace. */
export type ClientOverrides = Pick<RestClientOptions, "timeoutMs" | "retry" | "headers">;
