import {
  inspect,
  requireBoolean,
  requireInteger,
  requireMilliseconds,
  requireOptions,
} from "./arguments.ts";
import { environmentVariable, isEnvironmentVariableDenied } from "./environment.ts";
import { InvalidArgumentError } from "./errors.ts";
import type { ClientOverrides, RestClientOptions, RetryOptions } from "./options.ts";

/** The validated options of a client with all defaults. */
export interface ClientSettings {
  readonly apiKey: string | (() => string | Promise<string>) | undefined;
  readonly baseUrl: URL;
  readonly fetch: typeof fetch;
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
 * Validates options and adds the defaults.
 *
 * @throws {InvalidArgumentError} that names the invalid option.
 */
export function toClientSettings(options: RestClientOptions): ClientSettings {
  requireOptions("options", options);
  const { allowInsecureHttp = false } = options;
  requireBoolean("allowInsecureHttp", allowInsecureHttp);
  const { baseUrl, isRelative } = toBaseUrl(options);
  const key = options.apiKey ?? environmentVariable("HPCAI_API_KEY");
  if (key === undefined && !isRelative) {
    if (isEnvironmentVariableDenied("HPCAI_API_KEY")) {
      throw unreadableError("HPCAI_API_KEY", "apiKey");
    }
    throw new InvalidArgumentError("apiKey", "is missing", {
      advice: "Pass the option apiKey, or set the environment variable HPCAI_API_KEY.",
    });
  }
  const isFromEnvironment = options.apiKey === undefined && key !== undefined;
  if (
    isFromEnvironment && options.baseUrl === undefined &&
    isEnvironmentVariableDenied("HPCAI_BASE_URL")
  ) {
    // A key from the environment may belong to the server that the environment names.
    throw unreadableError("HPCAI_BASE_URL", "baseUrl");
  }
  const apiKey = key === undefined || typeof key === "function" ? key : toApiKey(key);
  const {
    fetch = (input, init) => globalThis.fetch(input, init),
    timeoutMs = DEFAULT_TIMEOUT_MS,
    maxConcurrentRequests = DEFAULT_MAX_CONCURRENT_REQUESTS,
    maxJsonBytes = DEFAULT_MAX_JSON_BYTES,
  } = options;
  if (typeof fetch !== "function") {
    throw new InvalidArgumentError("fetch", `must be a function, got ${inspect(fetch)}`);
  }
  requireMilliseconds("timeoutMs", timeoutMs, 1);
  requireInteger("maxConcurrentRequests", maxConcurrentRequests, 1);
  requireInteger("maxJsonBytes", maxJsonBytes, 1);
  return {
    apiKey,
    baseUrl,
    fetch,
    headers: toHeaders(options.headers),
    timeoutMs,
    maxConcurrentRequests,
    maxJsonBytes,
    retry: toRetryOptions(options.retry, DEFAULT_RETRY),
    allowInsecureHttp,
  };
}

/**
 * Replaces settings of a client: the timeout, retry options field by field, and headers by name.
 *
 * @throws {InvalidArgumentError} that names the invalid option.
 */
export function overrideSettings(
  settings: ClientSettings,
  overrides: ClientOverrides,
): ClientSettings {
  requireOptions("overrides", overrides);
  const { timeoutMs = settings.timeoutMs } = overrides;
  requireMilliseconds("timeoutMs", timeoutMs, 1);
  const headers = new Headers(settings.headers);
  toHeaders(overrides.headers).forEach((value, name) => headers.set(name, value));
  return {
    ...settings,
    timeoutMs,
    headers,
    retry: toRetryOptions(overrides.retry, settings.retry),
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
 * Checks an API key, and removes the white space around it.
 *
 * @throws {InvalidArgumentError} if a header cannot contain the key (RFC 9110, section 5.5). The error
 * does not repeat it.
 */
export function toApiKey(apiKey: unknown): string {
  const reason = typeof apiKey !== "string"
    ? "is not a string"
    : apiKey.trim() === ""
    ? "is empty"
    : /[\r\n]/.test(apiKey)
    ? "contains a line break"
    : /[^\t\x20-\x7e\x80-\xff]/.test(apiKey)
    ? "contains a control character, or one that is not Latin-1"
    : undefined;
  if (reason === undefined) return String(apiKey).trim();
  throw new InvalidArgumentError("apiKey", reason, { advice: "Pass the key as HPC-AI issued it." });
}

function toBaseUrl(options: RestClientOptions): { baseUrl: URL; isRelative: boolean } {
  const url = options.baseUrl ?? environmentVariable("HPCAI_BASE_URL") ?? DEFAULT_BASE_URL;
  if (!URL.canParse(url)) {
    const page = globalThis.location?.href;
    if (page === undefined || !URL.canParse(url, page)) {
      throw new InvalidArgumentError(
        "baseUrl",
        "is not an absolute URL",
        {
          advice:
            `Pass one such as ${DEFAULT_BASE_URL}. A relative URL works only in a browser's page.`,
        },
      );
    }
    return { baseUrl: requireBaseUrl(new URL(url, page), options), isRelative: true };
  }
  return { baseUrl: requireBaseUrl(new URL(url), options), isRelative: false };
}

function requireBaseUrl(url: URL, { allowInsecureHttp = false }: RestClientOptions): URL {
  const problem: UrlProblem | undefined = url.username !== "" || url.password !== ""
    ? { reason: "contains credentials", advice: "Pass the key in the option apiKey." }
    : url.search !== "" || url.hash !== ""
    ? { reason: "contains a query or a fragment" }
    : urlProblem(url, allowInsecureHttp);
  if (problem === undefined) return url;
  const { reason, advice } = problem;
  throw new InvalidArgumentError("baseUrl", `${reason}, got ${url.protocol}//${url.host}`, {
    advice,
  });
}

/** Why requests must not go to a URL, and what to do instead. */
export interface UrlProblem {
  /** A clause whose subject is the URL. */
  readonly reason: string;
  readonly advice?: string;
}

/** Why requests must not go to a URL, or `undefined` where they may. */
export function urlProblem(url: URL, allowInsecureHttp: boolean): UrlProblem | undefined {
  if (url.protocol === "https:") return undefined;
  if (url.protocol !== "http:") return { reason: "is neither https: nor http:" };
  if (allowInsecureHttp || isLoopback(url.hostname)) return undefined;
  return {
    reason: "would send secrets in clear text, since it is http: to a host that is not loopback",
    advice: "Use https:, or set allowInsecureHttp in a network that you trust.",
  };
}

/** Whether a URL's hostname is this machine (RFC 6761, section 6.3; RFC 1122, section 3.2.1.3). */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname.endsWith(".localhost") || hostname === "[::1]" ||
    /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

function toHeaders(headers: RestClientOptions["headers"]): Headers {
  try {
    if (!Array.isArray(headers) && headers !== undefined) requireOptions("headers", headers);
    return new Headers(headers);
  } catch (error) {
    if (error instanceof InvalidArgumentError) throw error;
    // The message of the TypeError would repeat the value, which can be a secret.
    throw new InvalidArgumentError("headers", "must have valid names and values");
  }
}

/** Merges retry options over others, field by field. */
function toRetryOptions(
  retry: RestClientOptions["retry"],
  defaults: RetryOptions,
): RetryOptions {
  if (retry === false) return { ...defaults, maxRetries: 0 };
  if (retry !== undefined) requireOptions("retry", retry);
  const overrides = Object.entries(retry ?? {}).filter(([, value]) => value !== undefined);
  const options: RetryOptions = { ...defaults, ...Object.fromEntries(overrides) };
  const { maxRetries, ...durations } = options;
  if (maxRetries !== Infinity) requireInteger("retry.maxRetries", maxRetries, 0);
  for (const [name, value] of Object.entries(durations)) {
    requireMilliseconds(`retry.${name}`, value, 0);
  }
  return options;
}
