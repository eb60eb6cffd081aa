/** Where the API is, and the key for it. */
export interface Upstream {
  /** The API's base URL. */
  readonly baseUrl: string;
  /** The key, which never leaves this process but for that URL's origin. */
  readonly apiKey: string;
  /** What sends the requests. Default: the runtime's own. */
  readonly fetch?: typeof fetch;
}

/** What the client in the browser may ask for. */
const ROUTES: Readonly<Record<string, RegExp>> = {
  GET: /^\/api\/v1\/training_runs(\/[^/]+(\/checkpoints(\/.+\/archive)?)?)?$/,
  DELETE: /^\/api\/v1\/training_runs\/[^/]+\/checkpoints\/.+$/,
};

/** A resumed download needs the range headers. Nothing else of the browser's goes on, no cookie. */
const REQUEST_HEADERS = ["Accept", "Range", "If-Range"];

const RESPONSE_HEADERS = [
  "Accept-Ranges",
  "Content-Length",
  "Content-Range",
  "Content-Type",
  "ETag",
  "Retry-After",
];

const REDIRECT_STATUSES = [301, 302, 303, 307, 308];
const MAX_REDIRECTS = 5;

/** A redirect leads where the key or the user's data must not go. */
class UnsafeRedirectError extends Error {}

/**
 * Passes a browser's requests on to the API with the key, and the answers back as they stream in. A
 * browser can't follow the API's redirects to its storage by hand, so that is done here.
 *
 * @returns Answers a request for a path such as `/api/v1/training_runs`.
 */
export function apiProxy(
  { baseUrl, apiKey, fetch = globalThis.fetch }: Upstream,
): (request: Request, path: string) => Promise<Response> {
  const base = new URL(baseUrl);

  async function exchange(request: Request, path: string): Promise<Response> {
    const url = new URL(base.href.replace(/\/+$/, "") + path + new URL(request.url).search);
    const response = await follow(url, request, MAX_REDIRECTS);
    if (!path.endsWith("/archive") || !isJson(response) || !response.ok) return response;
    // The API may name the archive's signed URL instead of redirecting to it.
    const { url: signedUrl } = await response.json();
    return follow(safeTarget(String(signedUrl), url), request, MAX_REDIRECTS);
  }

  async function follow(url: URL, request: Request, redirectsLeft: number): Promise<Response> {
    const { method, signal } = request;
    const headers = picked(request.headers, REQUEST_HEADERS);
    // `fetch` unpacks an encoded body, so that neither its length nor its ranges would fit any more.
    headers.set("Accept-Encoding", "identity");
    if (url.origin === base.origin) headers.set("X-API-Key", apiKey);
    const response = await fetch(url, { method, headers, redirect: "manual", signal });
    const location = response.headers.get("Location");
    if (!REDIRECT_STATUSES.includes(response.status) || location === null) return response;
    await response.body?.cancel();
    if (method !== "GET" || redirectsLeft === 0) throw new UnsafeRedirectError();
    return follow(safeTarget(location, url), request, redirectsLeft - 1);
  }

  return async (request, path) => {
    if (!isOwn(request)) {
      return errorAnswer(403, "forbidden", "Only the page of this server may ask this");
    }
    if (!ROUTES[request.method]?.test(path)) return errorAnswer(404, "not_found", "No such route");
    try {
      return passedOn(await exchange(request, path));
    } catch (error) {
      // Not the error's own words: they may hold a signed URL.
      return error instanceof UnsafeRedirectError
        ? errorAnswer(502, "bad_gateway", "HPC-AI redirected to where it must not")
        : errorAnswer(502, "bad_gateway", "HPC-AI can't be reached");
    }
  };
}

/**
 * Whether a request is that of a page of this server. Who can name the server could use the key
 * otherwise: another site, or one that has its own name point here (DNS rebinding).
 */
function isOwn({ url, headers }: Request): boolean {
  const site = headers.get("Sec-Fetch-Site") ?? "same-origin";
  return site === "same-origin" && ["127.0.0.1", "localhost"].includes(new URL(url).hostname);
}

/** An answer in the shape of the API's own errors. */
function errorAnswer(status: number, error: string, message: string): Response {
  return Response.json({ error, message }, { status, headers: { "Cache-Control": "no-store" } });
}

function safeTarget(location: string, from: URL): URL {
  const target = new URL(location, from);
  const falls = from.protocol === "https:" && target.protocol !== "https:";
  if (falls || !/^https?:$/.test(target.protocol)) throw new UnsafeRedirectError();
  return target;
}

function passedOn(response: Response): Response {
  const { status, body } = response;
  const headers = picked(response.headers, RESPONSE_HEADERS);
  headers.set("Cache-Control", "no-store");
  if (response.headers.has("Content-Encoding")) {
    // Unpacked by now, so these are of other bytes.
    for (const name of ["Content-Length", "Content-Range", "ETag"]) headers.delete(name);
  }
  return new Response(body, { status, headers });
}

function picked(headers: Headers, names: readonly string[]): Headers {
  return new Headers(names.flatMap((name) => {
    const value = headers.get(name);
    return value === null ? [] : [[name, value] as [string, string]];
  }));
}

function isJson({ headers }: Response): boolean {
  return headers.get("Content-Type")?.startsWith("application/json") ?? false;
}
