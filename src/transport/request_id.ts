import type { Redact } from "./redact.ts";

/** Where servers, object stores and proxies in front of them put the id of a request. */
const HEADERS: readonly string[] = [
  "x-request-id",
  "request-id",
  "x-amzn-requestid",
  "x-amz-request-id",
  "x-ms-request-id",
  "x-guploader-uploadid",
  "cf-ray",
];

/** The id that the server gave a request, the first found, without secrets. */
export function requestIdOf(
  headers: Pick<Headers, "get"> | undefined,
  redact: Redact,
): string | undefined {
  for (const name of HEADERS) {
    const id = headers?.get(name);
    if (id) return redact(id);
  }
  return undefined;
}
