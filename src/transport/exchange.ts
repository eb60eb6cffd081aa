import { show } from "../arguments.ts";
import {
  ApiConnectionError,
  ApiRedirectError,
  type ConnectionObstacle,
  type RequestContext,
} from "../errors.ts";
import { insecurity, type ResolvedOptions } from "../options.ts";
import { discardBody } from "./bounded_text.ts";
import { connectionObstacle } from "./connection_obstacle.ts";
import { type Redact, redactedCause, type Redactor, shownUrl } from "./redact.ts";

/** A request as it goes out. */
export interface OutgoingRequest {
  /** Where it goes. */
  readonly url: URL;
  /** The HTTP method. */
  readonly method: string;
  /** The headers that every server on the way may see, such as `Accept` and `Range`. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether it goes to the API's own origin, so that the key and the caller's headers go along. */
  readonly isTrusted: boolean;
  /** How many more redirects it may take. */
  readonly redirectsLeft: number;
}

/** What an exchange needs to know besides the request. */
export interface ExchangeContext extends Redactor {
  readonly options: ResolvedOptions;
  /** The key, or `undefined` where a proxy adds it. */
  readonly apiKey: string | undefined;
  /** Aborts the request, and its body once that is being read. */
  readonly controller: AbortController;
}

/** An answer, and the request that it answers: the last one after redirects. */
export interface Answer {
  readonly response: Response;
  readonly request: OutgoingRequest;
}

const REDIRECT_STATUSES: readonly number[] = [301, 302, 303, 307, 308];
/** How many redirects are followed before it must be a loop. */
export const MAX_REDIRECTS = 5;

/**
 * Sends a request and follows redirects by hand, since `fetch` would send `X-API-Key` on to the
 * other origin. A request that has left the API's origin never gets the key back.
 *
 * @throws {ApiConnectionError} if no answer comes.
 * @throws {ApiRedirectError} if a redirect must not or cannot be followed.
 */
export async function exchange(
  request: OutgoingRequest,
  context: ExchangeContext,
): Promise<Answer> {
  const response = await send(request, context);
  if (response.type === "opaqueredirect") {
    throw redirectError(
      "Cannot follow a redirect in a page, since browsers hide its target. Reach the API through a " +
        `proxy on the page's own origin, or have the server respond with JSON, {"url": "…"}`,
      request,
      context,
    );
  }
  const location = response.headers.get("Location");
  if (!REDIRECT_STATUSES.includes(response.status) || location === null) {
    return { response, request };
  }
  await discardBody(response);
  const target = redirected(request, location, context);
  if (request.method !== "GET" && (response.status === 303 || !target.isTrusted)) {
    throw redirectError(
      `Cannot follow a redirect of a ${request.method} request`,
      request,
      context,
    );
  }
  return exchange(target, context);
}

/**
 * The request that goes to where a server points instead.
 *
 * @param request The request that was answered so.
 * @param location Where the server points: a URL, or one relative to the request's.
 * @throws {ApiRedirectError} if it must not be followed: it is one too many, is no URL, holds credentials, or would
 * go over `http:` where that is not allowed or where `https:` was used before.
 */
export function redirected(
  request: OutgoingRequest,
  location: string,
  context: ExchangeContext,
): OutgoingRequest {
  const { options, redact, hideQuery } = context;
  if (request.redirectsLeft === 0) {
    throw redirectError(
      `The server redirects more than ${MAX_REDIRECTS} times`,
      request,
      context,
    );
  }
  if (!URL.canParse(location, request.url)) {
    throw redirectError(
      "The target of the redirect is no URL",
      request,
      context,
    );
  }
  const url = new URL(location, request.url);
  hideQuery(url);
  const fault = url.username !== "" || url.password !== ""
    ? "holds credentials"
    : request.url.protocol === "https:" && url.protocol === "http:"
    ? "falls from https: to http:"
    : insecurity(url, options.allowInsecureHttp);
  if (fault !== undefined) {
    throw redirectError(
      `Cannot follow the redirect to ${redact(shownUrl(url))}: it ${fault}`,
      request,
      context,
    );
  }
  const isTrusted = request.isTrusted && url.origin === options.baseUrl.origin;
  return { ...request, url, isTrusted, redirectsLeft: request.redirectsLeft - 1 };
}

function redirectError(
  problem: string,
  request: OutgoingRequest,
  { redact }: ExchangeContext,
): ApiRedirectError {
  return new ApiRedirectError(problem, shownRequest(request, redact));
}

/** A request as errors may show it. */
export function shownRequest({ method, url }: OutgoingRequest, redact: Redact): RequestContext {
  return { method, requestUrl: redact(shownUrl(url)) };
}

async function send(request: OutgoingRequest, context: ExchangeContext): Promise<Response> {
  const { options, apiKey, redact, controller: { signal } } = context;
  const headers = new Headers(request.isTrusted ? options.headers : undefined);
  for (const [name, value] of Object.entries(request.headers)) headers.set(name, value);
  if (request.isTrusted && apiKey !== undefined) headers.set("X-API-Key", apiKey);
  const { method, url } = request;
  // Called without a receiver, since a browser's fetch takes none but the window.
  const { fetch } = options;
  let isFaulty = false;
  try {
    const response = await fetch(url.href, { method, headers, redirect: "manual", signal });
    if (signal.aborted) {
      // A fetch that does not heed the signal.
      await discardBody(response);
      throw signal.reason;
    }
    if (isUnreadResponse(response)) return response;
    isFaulty = true;
    throw new TypeError(`expected an unread Response, got ${show(response)}`);
  } catch (error) {
    const cause = redactedCause(error, redact);
    const obstacle = isFaulty ? "fetch" : connectionObstacle(cause, url);
    const problem = obstacle ? PROBLEMS[obstacle] : "The connection failed";
    throw connectionError(problem, cause, request, redact, obstacle);
  }
}

const PROBLEMS: Readonly<Record<ConnectionObstacle, string>> = {
  certificate: "The server's certificate is invalid",
  permission: "The runtime has no permission to connect",
  port: "fetch blocks the port",
  fetch: "The fetch function failed",
};

/** Whether a value is a response that was not read yet, be it of another realm or another library. */
function isUnreadResponse(value: Partial<Response> | null | undefined): boolean {
  return typeof value?.status === "number" && typeof value.headers?.get === "function" &&
    !value.bodyUsed;
}

/** The error for a cause, already free of secrets, that ended a request while it was in flight. */
export function connectionError(
  problem: string,
  cause: unknown,
  request: OutgoingRequest,
  redact: Redact,
  obstacle?: ConnectionObstacle,
): ApiConnectionError {
  return new ApiConnectionError(
    `${problem}: ${deepestReason(cause)}`,
    shownRequest(request, redact),
    { cause, obstacle },
  );
}

/** What the innermost cause says; Node's own message is no more than "fetch failed". */
export function deepestReason(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  if (cause.cause !== undefined) return deepestReason(cause.cause);
  // Node's AggregateError, of a host with several addresses, has no message.
  return cause.message || ("code" in cause ? String(cause.code) : cause.name);
}
