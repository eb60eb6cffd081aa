import { show } from "../arguments.ts";
import {
  ApiConnectionError,
  type ApiConnectionErrorOptions,
  ApiRedirectError,
  type ApiRequestInfo,
  type ConnectionObstacle,
} from "../errors.ts";
import { environmentProxy, insecurity, type ResolvedOptions, type UrlFault } from "../options.ts";
import { discardBody } from "./bounded_text.ts";
import { connectionObstacle } from "./connection_obstacle.ts";
import { type Redact, redactedCause, type Redactor, shownUrl } from "./redact.ts";
import { requestIdOf } from "./request_id.ts";

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
      "Cannot follow a redirect in a page, since browsers hide its target",
      { request, response },
      context,
      "Reach the API through a proxy on the page's own origin, or have the server respond with " +
        'JSON, {"url": "…"}.',
    );
  }
  const location = response.headers.get("Location");
  if (!REDIRECT_STATUSES.includes(response.status) || location === null) {
    return { response, request };
  }
  await discardBody(response);
  const target = redirected({ request, response }, location, context);
  if (request.method !== "GET" && (response.status === 303 || !target.isTrusted)) {
    throw redirectError(
      `Cannot follow a redirect of a ${request.method} request`,
      { request, response },
      context,
    );
  }
  return exchange(target, context);
}

/**
 * The request that goes to where a server points instead.
 *
 * @param answer The response that points there, and its request.
 * @param location Where the server points: a URL, or one relative to the request's.
 * @throws {ApiRedirectError} if it must not be followed: it is one too many, is no URL, holds credentials, or would
 * go over `http:` where that is not allowed or where `https:` was used before.
 */
export function redirected(
  answer: Answer,
  location: string,
  context: ExchangeContext,
): OutgoingRequest {
  const { request } = answer;
  const { options, redact, hideQuery } = context;
  if (request.redirectsLeft === 0) {
    throw redirectError(
      `The server redirects more than ${MAX_REDIRECTS} times`,
      answer,
      context,
    );
  }
  if (!URL.canParse(location, request.url)) {
    throw redirectError(
      "The target of the redirect is no URL",
      answer,
      context,
    );
  }
  const url = new URL(location, request.url);
  hideQuery(url);
  const fault: UrlFault | undefined = url.username !== "" || url.password !== ""
    ? { reason: "contains credentials" }
    : request.url.protocol === "https:" && url.protocol === "http:"
    ? { reason: "falls from https: to http:" }
    : insecurity(url, options.allowInsecureHttp);
  if (fault !== undefined) {
    throw redirectError(
      `Cannot follow the redirect to ${redact(shownUrl(url))}: it ${fault.reason}`,
      answer,
      context,
      fault.advice,
    );
  }
  const isTrusted = request.isTrusted && url.origin === options.baseUrl.origin;
  return { ...request, url, isTrusted, redirectsLeft: request.redirectsLeft - 1 };
}

function redirectError(
  problem: string,
  answer: Answer,
  { redact }: ExchangeContext,
  advice?: string,
): ApiRedirectError {
  return new ApiRedirectError(problem, requestInfo(answer, redact), { advice });
}

/** What errors may show of a request, and of its response where there is one. */
export function requestInfo(
  { request: { method, url }, response }: { request: OutgoingRequest; response?: Response },
  redact: Redact,
): ApiRequestInfo {
  return {
    method,
    requestUrl: redact(shownUrl(url)),
    requestId: requestIdOf(response?.headers, redact),
  };
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
    const obstacle = isFaulty ? "fetch" : await connectionObstacle(cause, url);
    const problem = obstacle ? PROBLEMS[obstacle] : "The connection failed";
    const advice = await connectionAdvice(obstacle, url, options);
    throw connectionError(problem, cause, { request }, redact, { obstacle, advice });
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

/** What to do about a failed connection. */
async function connectionAdvice(
  obstacle: ConnectionObstacle | undefined,
  url: URL,
  { hasDefaultFetch }: ResolvedOptions,
): Promise<string> {
  const general = "Check the network and baseUrl.";
  const mayIgnoreProxy = hasDefaultFetch && environmentProxy() !== undefined;
  // Not loaded for what is retried, unless there is more to look into.
  if (obstacle === undefined && !mayIgnoreProxy) return general;
  try {
    const { obstacleAdvice, ignoredProxyAdvice } = await import("./connection_advice.ts");
    return obstacle
      ? obstacleAdvice(obstacle, url)
      : ignoredProxyAdvice(url, globalThis) ?? general;
  } catch {
    return general;
  }
}

/** The error for a cause, already free of secrets, that ended a request while it was in flight. */
export function connectionError(
  problem: string,
  cause: unknown,
  exchange: { readonly request: OutgoingRequest; readonly response?: Response },
  redact: Redact,
  options?: ApiConnectionErrorOptions,
): ApiConnectionError {
  return new ApiConnectionError(
    `${problem}: ${deepestReason(cause)}`,
    requestInfo(exchange, redact),
    { cause, ...options },
  );
}

/** What the innermost cause says; Node's own message is no more than "fetch failed". */
export function deepestReason(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  if (cause.cause !== undefined) return deepestReason(cause.cause);
  // Node's AggregateError, of a host with several addresses, has no message.
  return cause.message || ("code" in cause ? String(cause.code) : cause.name);
}
