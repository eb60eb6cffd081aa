// This module is browser compatible.

/** What reaches the fake of a request. */
export interface IncomingRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  /** Aborts when the client no longer waits. */
  readonly signal?: AbortSignal | undefined;
}

/** Redirects followed before fetch gives up (Fetch standard section 4.4). */
const MAX_REDIRECTS = 20;
const REDIRECT_STATUSES = [301, 302, 303, 307, 308];

/**
 * A `fetch` that gets its answers from a function instead of the network, and treats `signal`,
 * `redirect` and `Content-Encoding` as the real one does.
 *
 * @param respond Answers one request.
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
        return asFetched(response, url, redirects > 0);
      }
      await response.body?.cancel();
      if (request.redirect === "error") throw new TypeError(`Unexpected redirect from ${url}`);
      const target = new URL(location, url);
      // As it is in Deno, Node and browsers: of all headers, only this one stays behind.
      if (target.origin !== new URL(url).origin) headers.delete("Authorization");
      const turnsToGet = response.status === 303
        ? method !== "HEAD"
        : method === "POST" && response.status < 303;
      if (turnsToGet) method = "GET";
      url = target.href;
    }
    throw new TypeError(`More than ${MAX_REDIRECTS} redirects`);
  };
}

/** Adds what `fetch` adds: the final URL, and a body that is unpacked already. */
function asFetched(response: Response, url: string, redirected: boolean): Response {
  const isPacked = response.headers.get("Content-Encoding") === "gzip";
  const fetched = isPacked && response.body !== null
    ? new Response(response.body.pipeThrough(new DecompressionStream("gzip")), response)
    : response;
  // Only a real fetch can set these two, which are getters of the prototype.
  return Object.defineProperties(fetched, {
    url: { value: url },
    redirected: { value: redirected },
  });
}
