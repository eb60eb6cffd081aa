import { requireOptions } from "../arguments.ts";
import { type ClientSettings, toClientSettings } from "../client_settings.ts";
import { followSignedUrl } from "../download/follow_signed_url.ts";
import { ApiResponseValidationError, HpcaiError, InvalidArgumentError } from "../errors.ts";
import { resolveApiKey } from "../transport/resolve_api_key.ts";
import type { Attempt } from "../transport/attempt.ts";
import { discardBody } from "../transport/response_body.ts";
import { type HopResponse, requestInfo } from "../transport/hop.ts";
import { hopSender } from "../transport/hop_sender.ts";
import { readText } from "../transport/read_json.ts";
import { routeUrl } from "../transport/route_url.ts";
import { excerpt, readErrorBody } from "../transport/status_error.ts";
import { type ApiRoute, findRoute } from "./api_route.ts";
import { archiveResponse } from "./archive_response.ts";
import { originPolicy } from "./origin_policy.ts";
import { redactJson } from "./redact_json.ts";
import { errorResponse, forwardedHeaders, jsonResponse, safeResponse } from "./safe_response.ts";

/** The options of {@linkcode apiProxy}. */
export interface ApiProxyOptions {
  /** The API key, or a function that returns it for each request. It is sent to the API only. */
  readonly apiKey: string | (() => string | Promise<string>);
  /**
   * The URL of the API. Default: the environment variable `HPCAI_BASE_URL`, then
   * `https://www.hpc-ai.com/finetunesdk`.
   */
  readonly baseUrl?: string | URL | undefined;
  /** Sends the requests to the API and to its storage. Default: `globalThis.fetch`. */
  readonly fetch?: typeof fetch | undefined;
  /**
   * The origins of the pages that may use the proxy, such as `https://app.example.com`. Default: none.
   *
   * The proxy accepts requests to the hosts of these origins, from these origins, besides requests of
   * pages at loopback hosts.
   */
  readonly allowedOrigins?: readonly string[] | undefined;
}

/** The request headers that are forwarded to the API and its storage. */
const REQUEST_HEADERS: readonly string[] = ["Accept", "Range", "If-Range"];

/** The query parameters that are forwarded to the listings of the API. */
const QUERY_PARAMETERS: readonly string[] = ["limit", "offset"];

/** The statuses with which a storage refuses a signed URL. */
const REFUSED_URL_STATUSES: readonly number[] = [400, 401, 403];

/** The highest status that a `Response` can have (Fetch standard, section "Response class"). */
const MAX_STATUS = 599;

/** The page aborted its request. No client receives this status, which nginx logs in this case. */
const CLIENT_CLOSED_REQUEST = 499;

/**
 * Creates a proxy that adds the API key to the requests of pages on the same origin.
 *
 * The key stays on the server. Runs in Deno, Node, Bun and edge workers.
 *
 * - It forwards the routes that a client uses (listings, details, archives, deletions), and no others.
 * - It accepts requests to loopback hosts and to the hosts of `allowedOrigins`, and refuses requests of
 *   other sites, also those whose names resolve to this server (DNS rebinding), with 403.
 * - It follows the redirects and signed URLs of the API without the key, and streams archives with
 *   backpressure. No signed URL reaches the page.
 * - It forwards the headers `Accept`, `Range` and `If-Range`, and no cookie.
 * - It responds with JSON and archives only, never with a page or script of another server.
 * - It removes the key from each response, and ends an archive that contains it with an error.
 * - It does not retry, since its clients do.
 *
 * It does not authenticate users: anyone who can open the page can use the key through it. Check the
 * session before it is called.
 *
 * @param options The key, and where the API is.
 * @returns A function from a request to a response, which never rejects because of the API. It can be
 * mounted under any path: the route begins at `/api/v1/`. When the request aborts, the
 * request to the API aborts too. Errors are JSON in the shape of the API: 403 and 404 for requests that
 * are not forwarded, 502 where the API cannot be reached or its response is invalid.
 * @throws {InvalidArgumentError} if an option is invalid.
 *
 * @example
 * ```ts
 * import { apiProxy } from "@hpcai/rx/proxy";
 *
 * const proxy = apiProxy({ apiKey: "secret", allowedOrigins: ["https://app.example.com"] });
 *
 * const response = await proxy(new Request("https://elsewhere.example/api/v1/training_runs"));
 * console.log(response.status); // 403
 * ```
 */
export function apiProxy(options: ApiProxyOptions): (request: Request) => Promise<Response> {
  requireOptions("options", options);
  const { apiKey, baseUrl, fetch, allowedOrigins = [] } = options;
  const settings = toClientSettings({ apiKey, baseUrl, fetch });
  const isAllowed = originPolicy(allowedOrigins);

  return async (request) => {
    if (!isAllowed(request)) {
      const message = "The proxy accepts requests of its own pages only";
      return errorResponse(403, { error: "forbidden", message });
    }
    const route = findRoute(request.method, new URL(request.url).pathname);
    if (route === undefined) {
      const message = "The proxy forwards the documented routes of the API only";
      return errorResponse(404, { error: "not_found", message });
    }
    try {
      return await forward(request, route, settings);
    } catch (error) {
      if (request.signal.aborted) return safeResponse(null, CLIENT_CLOSED_REQUEST);
      if (!(error instanceof HpcaiError)) throw error;
      return badGateway(
        error instanceof InvalidArgumentError
          ? "The API key of the proxy is not available"
          : error.problem,
      );
    }
  };
}

async function forward(
  request: Request,
  route: ApiRoute,
  settings: ClientSettings,
): Promise<Response> {
  const apiKey = typeof settings.apiKey === "function"
    ? await resolveApiKey(settings.apiKey, settings)
    : settings.apiKey ?? "";
  const controller = new AbortController();
  const signal = AbortSignal.any([request.signal, controller.signal]);
  const attempt: Attempt = {
    ...hopSender({ settings, apiKey, signal }),
    maxJsonBytes: settings.maxJsonBytes,
    abort: () => controller.abort(),
  };
  let from = await attempt.send({
    url: upstreamUrl(settings, route, new URL(request.url)),
    method: request.method,
    headers: requestHeaders(request.headers),
    isTrusted: true,
    redirects: 0,
  });
  if (route.operation === "downloadCheckpointArchive") from = await followSignedUrl(from, attempt);
  return toResponse(from, attempt, { ...route, apiKey });
}

function upstreamUrl(
  { baseUrl }: ClientSettings,
  { operation, path }: ApiRoute,
  { searchParams }: URL,
): URL {
  const isListing = operation === "listTrainingRuns" || operation === "listCheckpoints";
  const names = isListing ? QUERY_PARAMETERS.filter((name) => searchParams.has(name)) : [];
  const query = Object.fromEntries(names.map((name) => [name, searchParams.get(name) ?? ""]));
  return routeUrl(baseUrl, { path, query });
}

function requestHeaders(headers: Headers): Readonly<Record<string, string>> {
  // `fetch` would decode an encoded body, whose length and ranges would then be wrong.
  const forwarded: Record<string, string> = { "Accept-Encoding": "identity" };
  for (const name of REQUEST_HEADERS) {
    const value = headers.get(name);
    if (value !== null) forwarded[name] = value;
  }
  return forwarded;
}

async function toResponse(
  from: HopResponse,
  attempt: Attempt,
  { operation, apiKey }: ApiRoute & { readonly apiKey: string },
): Promise<Response> {
  const { response } = from;
  const { status } = response;
  if (!response.ok) return await toErrorResponse(from, attempt);
  if (operation === "downloadCheckpointArchive") {
    return await archiveResponse(from, attempt, apiKey);
  }
  const headers = forwardedHeaders(response, attempt.redact);
  if (operation === "deleteCheckpoint") {
    await discardBody(response);
    return safeResponse(null, status, headers);
  }
  const text = await readText(from, attempt);
  try {
    return jsonResponse(redactJson(text, apiKey), status, headers);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ApiResponseValidationError(
      "expected JSON",
      "",
      excerpt(text, attempt.redact),
      requestInfo(from, attempt.redact),
    );
  }
}

async function toErrorResponse(
  { hop, response }: HopResponse,
  { redact }: Attempt,
): Promise<Response> {
  const { status } = response;
  const isRefusedUrl = !hop.isTrusted && REFUSED_URL_STATUSES.includes(status);
  if (isRefusedUrl || status < 400 || status > MAX_STATUS) {
    await discardBody(response);
    // Clients retry a 502, which requests a new signed URL.
    return badGateway(
      isRefusedUrl
        ? `The storage refused the signed URL with status ${status}`
        : `The server responded with the unsupported status ${status}`,
    );
  }
  const { code, message, details } = await readErrorBody(response, redact);
  const body = { error: code, message, details };
  return errorResponse(status, body, forwardedHeaders(response, redact));
}

function badGateway(message: string): Response {
  return errorResponse(502, { error: "bad_gateway", message });
}
