import type { Redact } from "../transport/redact.ts";
import { requestIdOf } from "../transport/request_id.ts";

/** The headers of the server that clients of the API read. */
const FORWARDED_HEADERS: readonly string[] = [
  "Accept-Ranges",
  "Content-Range",
  "ETag",
  "Retry-After",
  "retry-after-ms",
  "x-should-retry",
];

/** Headers against content sniffing, caching, and embedding in other sites. */
const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "Cache-Control": "no-store",
  "Cross-Origin-Resource-Policy": "same-origin",
  "X-Content-Type-Options": "nosniff",
};

/** An error in the shape of the API. */
export interface ErrorJson {
  readonly error?: string | undefined;
  readonly message: string;
  readonly details?: unknown;
}

/** Creates a response that has the given headers and the security headers only. */
export function safeResponse(
  body: BodyInit | null,
  status: number,
  headers = new Headers(),
): Response {
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) headers.set(name, value);
  return new Response(body, { status, headers });
}

/** Creates a response with a JSON text. */
export function jsonResponse(json: string, status: number, headers = new Headers()): Response {
  headers.set("Content-Type", "application/json");
  return safeResponse(json, status, headers);
}

/** Creates a response with an error. */
export function errorResponse(status: number, body: ErrorJson, headers?: Headers): Response {
  return jsonResponse(JSON.stringify(body), status, headers);
}

/** Returns the headers of a server that a page may read, without those that contain a secret. */
export function forwardedHeaders({ headers }: Response, redact: Redact): Headers {
  const forwarded = new Headers();
  for (const name of FORWARDED_HEADERS) {
    const value = headers.get(name);
    if (value !== null && redact(value) === value) forwarded.set(name, value);
  }
  const requestId = requestIdOf(headers, redact);
  if (requestId !== undefined) forwarded.set("X-Request-Id", requestId);
  return forwarded;
}
