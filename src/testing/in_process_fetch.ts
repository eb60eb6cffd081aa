// This module is browser compatible.

/** The part of a request that the fake reads. */
export interface IncomingRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  /** Aborts when the client aborts the request. */
  readonly signal?: AbortSignal | undefined;
}

/** The maximum number of redirects that `fetch` follows (Fetch standard section 4.4). */
const MAX_REDIRECTS = 20;
const REDIRECT_STATUSES = [301, 302, 303, 307, 308];

/**
 * Makes a `fetch` that gets its responses from a function instead of the network. It handles `signal`,
 * `redirect` and `Content-Encoding` as the platform's `fetch` does.
 *
 * @param respond Returns the response to one request.
 */
export function inProcessFetch(
  respond: (request: IncomingRequest) => Promise<Response>,
): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, { ...init, signal: null });
    // Not request.signal: Node's stops following the caller's once the Request is collected.
    const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined);
    const headers = new Headers(request.headers);
    let { url, method } = request;
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      signal?.throwIfAborted();
      const response = await respond({ method, url, headers, signal });
      const location = response.headers.get("Location");
      const isRedirect = REDIRECT_STATUSES.includes(response.status) && location !== null;
      if (!isRedirect || request.redirect === "manual") {
        return toFetchedResponse(response, url, redirects > 0);
      }
      await response.body?.cancel();
      if (request.redirect === "error") throw new TypeError(`Unexpected redirect from ${url}`);
      const target = new URL(location, url);
      // Deno, Node and browsers forward every header but this one to another origin.
      if (target.origin !== new URL(url).origin) headers.delete("Authorization");
      const becomesGet = response.status === 303
        ? method !== "HEAD"
        : method === "POST" && response.status < 303;
      if (becomesGet) method = "GET";
      url = target.href;
    }
    throw new TypeError(`More than ${MAX_REDIRECTS} redirects`);
  };
}

/** Adds what `fetch` adds to a response: the final URL, and a decompressed body. */
function toFetchedResponse(response: Response, url: string, isRedirected: boolean): Response {
  const isCompressed = response.headers.get("Content-Encoding") === "gzip";
  const fetched = isCompressed && response.body !== null
    ? new Response(response.body.pipeThrough(new DecompressionStream("gzip")), response)
    : response;
  // Both are getters of the prototype that only the platform's fetch can set.
  return Object.defineProperties(fetched, {
    url: { value: url },
    redirected: { value: isRedirected },
  });
}
