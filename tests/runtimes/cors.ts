import type { Handler } from "./serve.ts";

/** Headers that permit the requests of pages of other origins. */
const ALLOW_HEADERS = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Allow-Headers": "X-API-Key, If-Range",
  "Access-Control-Allow-Methods": "GET, DELETE",
};
const EXPOSE_HEADERS = "Content-Encoding, Content-Range, ETag, Retry-After";

/** The CORS headers of the servers of facts.mjs, by the name of the policy. */
export const CORS_POLICIES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "closed": {},
  "open": ALLOW_HEADERS,
  "exposing": { ...ALLOW_HEADERS, "Access-Control-Expose-Headers": EXPOSE_HEADERS },
};

/** Adds these headers to each response; `POST …/control/preflights` returns the preflights so far. */
export function withCors(cors: Readonly<Record<string, string>>, handler: Handler): Handler {
  const preflights: { method: string | null; headers: string | null }[] = [];
  return async (request, whenDisconnected) => {
    if (request.url.endsWith("/control/preflights")) return Response.json(preflights);
    if (request.method === "OPTIONS") {
      const requestedHeader = (name: string) =>
        request.headers.get(`Access-Control-Request-${name}`);
      preflights.push({ method: requestedHeader("Method"), headers: requestedHeader("Headers") });
      return new Response(null, { status: 204, headers: cors });
    }
    const { status, headers, body } = await handler(request, whenDisconnected);
    for (const [name, value] of Object.entries(cors)) headers.set(name, value);
    return new Response(body, { status, headers });
  };
}
