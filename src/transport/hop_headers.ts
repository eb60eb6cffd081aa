import type { Hop } from "./hop.ts";

/** The headers that only the API may receive. */
export interface TrustedHeaders {
  /** The key, or `undefined` where a proxy adds it. */
  readonly apiKey: string | undefined;
  /** The caller's own headers. */
  readonly headers: Headers;
}

/**
 * The headers of a hop. Only trusted hops have the key and the caller's headers, which may contain
 * secrets too. The hop's own headers replace the caller's.
 */
export function hopHeaders(hop: Hop, { apiKey, headers }: TrustedHeaders): Headers {
  const all = new Headers(hop.isTrusted ? headers : undefined);
  for (const [name, value] of Object.entries(hop.headers)) all.set(name, value);
  if (hop.isTrusted && apiKey !== undefined) all.set("X-API-Key", apiKey);
  return all;
}
