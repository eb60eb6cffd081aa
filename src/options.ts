import {
  requireBoolean,
  requireInteger,
  requireMilliseconds,
  requireOptions,
  show,
} from "./arguments.ts";
import { InvalidArgumentError } from "./errors.ts";

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

/** Options with every default in its place, each checked. */
export interface ResolvedOptions {
  readonly apiKey: string | (() => string | Promise<string>) | undefined;
  readonly baseUrl: URL;
  readonly fetch: typeof fetch;
  /** Whether `fetch` is the runtime's. */
  readonly hasDefaultFetch: boolean;
  readonly headers: Headers;
  readonly timeoutMs: number;
  readonly maxConcurrentRequests: number;
  readonly maxJsonBytes: number;
  readonly retry: RetryOptions;
  readonly allowInsecureHttp: boolean;
}

const DEFAULT_BASE_URL = "https://www.hpc-ai.com/finetunesdk";
const DEFAULT_TIMEOUT_MS = 60_000;
const DEFAULT_MAX_CONCURRENT_REQUESTS = 8;
const DEFAULT_MAX_JSON_BYTES = 64 * 2 ** 20;
const DEFAULT_RETRY: RetryOptions = {
  maxRetries: Infinity,
  maxElapsedMs: 30_000,
  maxInterruptionMs: 300_000,
  initialDelayMs: 500,
  maxDelayMs: 10_000,
  maxRetryAfterMs: 60_000,
};

/**
 * Checks the options and fills in the defaults.
 *
 * @throws {InvalidArgumentError} naming the option that is not usable.
 */
export function resolveOptions(options: RestClientOptions): ResolvedOptions {
  requireOptions("options", options);
  const { allowInsecureHttp = false } = options;
  requireBoolean("allowInsecureHttp", allowInsecureHttp);
  const { baseUrl, isRelative } = resolveBaseUrl(options);
  const given = options.apiKey ?? environmentVariable("HPCAI_API_KEY");
  if (given === undefined && !isRelative) {
    if (isUnreadable("HPCAI_API_KEY")) throw unreadableError("HPCAI_API_KEY", "apiKey");
    throw new InvalidArgumentError("apiKey", "is missing", {
      advice: "Pass the option apiKey, or set the environment variable HPCAI_API_KEY.",
    });
  }
  const isFromEnvironment = options.apiKey === undefined && given !== undefined;
  if (isFromEnvironment && options.baseUrl === undefined && isUnreadable("HPCAI_BASE_URL")) {
    // A key of the environment may belong to the server that the environment names.
    throw unreadableError("HPCAI_BASE_URL", "baseUrl");
  }
  const apiKey = given === undefined || typeof given === "function" ? given : headerKey(given);
  const {
    fetch = (input, init) => globalThis.fetch(input, init),
    timeoutMs = DEFAULT_TIMEOUT_MS,
    maxConcurrentRequests = DEFAULT_MAX_CONCURRENT_REQUESTS,
    maxJsonBytes = DEFAULT_MAX_JSON_BYTES,
  } = options;
  if (typeof fetch !== "function") {
    throw new InvalidArgumentError("fetch", `must be a function, got ${show(fetch)}`);
  }
  requireMilliseconds("timeoutMs", timeoutMs, 1);
  requireInteger("maxConcurrentRequests", maxConcurrentRequests, 1);
  requireInteger("maxJsonBytes", maxJsonBytes, 1);
  return {
    apiKey,
    baseUrl,
    fetch,
    hasDefaultFetch: options.fetch === undefined,
    headers: resolveHeaders(options.headers),
    timeoutMs,
    maxConcurrentRequests,
    maxJsonBytes,
    retry: resolveRetry(options.retry),
    allowInsecureHttp,
  };
}

function unreadableError(variable: string, option: string): InvalidArgumentError {
  return new InvalidArgumentError(
    option,
    `cannot be read from ${variable}, since Deno lacks the permission`,
    {
      advice: `Run with --allow-env=HPCAI_API_KEY,HPCAI_BASE_URL, or pass the option ${option}.`,
    },
  );
}

/**
 * The key as it stands in a header, which has no white space around its value.
 *
 * @throws {InvalidArgumentError} that does not show it, if no header can hold it (RFC 9110, section
 * 5.5).
 */
export function headerKey(apiKey: unknown): string {
  const fault = typeof apiKey !== "string"
    ? "is not a string"
    : apiKey.trim() === ""
    ? "is empty"
    : /[\r\n]/.test(apiKey)
    ? "has a line break"
    : /[^\t\x20-\x7e\x80-\xff]/.test(apiKey)
    ? "has a control character, or one that is not Latin-1"
    : undefined;
  if (fault === undefined) return String(apiKey).trim();
  throw new InvalidArgumentError("apiKey", fault, { advice: "Pass the key as HPC-AI issued it." });
}

function resolveBaseUrl(options: RestClientOptions): { baseUrl: URL; isRelative: boolean } {
  const given = options.baseUrl ?? environmentVariable("HPCAI_BASE_URL") ?? DEFAULT_BASE_URL;
  if (!URL.canParse(given)) {
    const page = globalThis.location?.href;
    if (page === undefined || !URL.canParse(given, page)) {
      throw new InvalidArgumentError(
        "baseUrl",
        "is not an absolute URL",
        {
          advice:
            `Pass one such as ${DEFAULT_BASE_URL}. A relative URL works only in a browser's page.`,
        },
      );
    }
    return { baseUrl: requireBaseUrl(new URL(given, page), options), isRelative: true };
  }
  return { baseUrl: requireBaseUrl(new URL(given), options), isRelative: false };
}

function requireBaseUrl(url: URL, { allowInsecureHttp = false }: RestClientOptions): URL {
  const fault: UrlFault | undefined = url.username !== "" || url.password !== ""
    ? { reason: "contains credentials", advice: "Pass the key in the option apiKey." }
    : url.search !== "" || url.hash !== ""
    ? { reason: "contains a query or a fragment" }
    : insecurity(url, allowInsecureHttp);
  if (fault === undefined) return url;
  const { reason, advice } = fault;
  throw new InvalidArgumentError("baseUrl", `${reason}, got ${url.protocol}//${url.host}`, {
    advice,
  });
}

/** Why requests must not go to a URL, and what to do instead. */
export interface UrlFault {
  /** A clause whose subject is the URL. */
  readonly reason: string;
  readonly advice?: string;
}

/** Why requests must not go to a URL, or `undefined` where they may. */
export function insecurity(url: URL, allowInsecureHttp: boolean): UrlFault | undefined {
  if (url.protocol === "https:") return undefined;
  if (url.protocol !== "http:") return { reason: "is neither https: nor http:" };
  if (allowInsecureHttp || isLoopback(url.hostname)) return undefined;
  return {
    reason: "would send secrets in clear text, since it is http: to a host that is not loopback",
    advice: "Use https:, or set allowInsecureHttp in a network that you trust.",
  };
}

/** Whether a URL's hostname is this machine (RFC 6761, section 6.3; RFC 1122, section 3.2.1.3). */
function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname.endsWith(".localhost") || hostname === "[::1]" ||
    /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

function resolveHeaders(headers: RestClientOptions["headers"]): Headers {
  try {
    if (!Array.isArray(headers) && headers !== undefined) requireOptions("headers", headers);
    return new Headers(headers);
  } catch (error) {
    if (error instanceof InvalidArgumentError) throw error;
    // The message of the TypeError would repeat the value, which can be a secret.
    throw new InvalidArgumentError("headers", "must have valid names and values");
  }
}

function resolveRetry(retry: RestClientOptions["retry"]): RetryOptions {
  if (retry === false) return { ...DEFAULT_RETRY, maxRetries: 0 };
  if (retry !== undefined) requireOptions("retry", retry);
  const given = Object.entries(retry ?? {}).filter(([, value]) => value !== undefined);
  const resolved: RetryOptions = { ...DEFAULT_RETRY, ...Object.fromEntries(given) };
  const { maxRetries, ...durations } = resolved;
  if (maxRetries !== Infinity) requireInteger("retry.maxRetries", maxRetries, 0);
  for (const [name, value] of Object.entries(durations)) {
    requireMilliseconds(`retry.${name}`, value, 0);
  }
  return resolved;
}

/** The parts of the runtimes' globals that say what is in the environment. */
interface EnvironmentGlobals {
  readonly Deno?: {
    readonly env: { get(name: string): string | undefined };
    readonly permissions: {
      querySync(query: { name: "env"; variable: string }): { readonly state: string };
    };
  };
  readonly process?: { readonly env?: Readonly<Record<string, string | undefined>> };
}

/** Reads an environment variable where there is one and it may be read. An empty one is not set. */
function environmentVariable(name: string): string | undefined {
  if (isUnreadable(name)) return undefined;
  const { Deno, process } = globalThis as EnvironmentGlobals;
  return (Deno?.permissions === undefined ? process?.env?.[name] : Deno.env.get(name)) || undefined;
}

/** The proxy of the environment, outside of Deno, which uses it. */
export function environmentProxy(): string | undefined {
  const { Deno, process: { env = {} } = {} } = globalThis as EnvironmentGlobals;
  if (Deno !== undefined) return undefined;
  return env["HTTPS_PROXY"] ?? env["https_proxy"] ?? env["HTTP_PROXY"] ?? env["http_proxy"];
}

/**
 * Whether Deno has no permission to read an environment variable, so that it cannot tell whether it is
 * set. Deno is asked for the state of the permission, since reading without it would prompt.
 */
function isUnreadable(variable: string): boolean {
  // None of these globals is declared where only the web's types are.
  const { Deno } = globalThis as EnvironmentGlobals;
  return Deno?.permissions !== undefined &&
    Deno.permissions.querySync({ name: "env", variable }).state !== "granted";
}
