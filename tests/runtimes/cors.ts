import type { Handler } from "./serve.ts";

/** What a page may do with a server of another origin. */
const ALLOWED = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Allow-Headers": "X-API-Key, If-Range",
  "Access-Control-Allow-Methods": "GET, DELETE",
};
const EXPOSED = "Content-Encoding, Content-Range, ETag, Retry-After";

/** How far the servers of facts.mjs open up to pages of other origins. */
export const CORS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "closed": {},
  "open": ALLOWED,
  "exposing": { ...ALLOWED, "Access-Control-Expose-Headers": EXPOSED },
};

/** The same server with these headers; `POST …/order/preflights` tells which preflights came. */
export function withCors(cors: Readonly<Record<string, string>>, handler: Handler): Handler {
  const preflights: { method: string | null; headers: string | null }[] = [];
  return async (request, left) => {
    if (request.url.endsWith("/order/preflights")) return Response.json(preflights);
    if (request.method === "OPTIONS") {
      const asked = (what: string) => request.headers.get(`Access-Control-Request-${what}`);
      preflights.push({ method: asked("Method"), headers: asked("Headers") });
      return new Response(null, { status: 204, headers: cors });
    }
    const { status, headers, body } = await handler(request, left);
    for (const [name, value] of Object.entries(cors)) headers.set(name, value);
    return new Response(body, { status, headers });
  };
}
