import type { Redact } from "./redact.ts";

/** The headers for the id of a request, of servers, object stores and proxies. */
const REQUEST_ID_HEADERS: readonly string[] = [
  "x-request-id",
  "request-id",
  "x-amzn-requestid",
  "x-amz-request-id",
  "x-ms-request-id",
  "x-guploader-uploadid",
  "cf-ray",
];

/** The id that the server gave a request, without secrets; the first that is found. */
export function requestIdOf(
  headers: Pick<Headers, "get"> | undefined,
  redact: Redact,
): string | undefined {
  for (const name of REQUEST_ID_HEADERS) {
    const id = headers?.get(name);
    if (id) return redact(id);
  }
  return undefined;
}
