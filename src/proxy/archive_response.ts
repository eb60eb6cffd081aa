import { ApiResponseValidationError } from "../errors.ts";
import type { Attempt } from "../transport/attempt.ts";
import { type HopResponse, requestInfo } from "../transport/hop.ts";
import { discardBody, mediaType } from "../transport/response_body.ts";
import { refuseKey } from "./refuse_key.ts";
import { forwardedHeaders, safeResponse } from "./safe_response.ts";

/** The types of archives. A browser shows or runs none of them. */
const ARCHIVE_TYPES: readonly string[] = [
  "application/gzip",
  "application/x-gzip",
  "application/x-tar",
];

/** The types of pages. A server, a proxy or a login may respond with a page instead of an archive. */
const PAGE_TYPES: readonly string[] = ["text/html", "application/xhtml+xml"];

/** The headers that describe the encoded bytes, while `fetch` decodes the body. */
const ENCODED_HEADERS: readonly string[] = ["Content-Length", "Content-Range", "ETag"];

/**
 * Creates the response with an archive, whose body is streamed.
 *
 * If a server that received the key repeats it in the body, the stream fails before the key.
 *
 * @throws {ApiResponseValidationError} if the server responds with a page or with JSON.
 */
export async function archiveResponse(
  from: HopResponse,
  { redact }: Attempt,
  apiKey: string,
): Promise<Response> {
  const { hop, response } = from;
  const invalidResponse = (received: string) =>
    new ApiResponseValidationError(
      "expected the bytes of an archive",
      "",
      received,
      requestInfo(from, redact),
    );
  const type = mediaType(response);
  if (PAGE_TYPES.includes(type) || type === "application/json") {
    await discardBody(response);
    throw invalidResponse(`a body of type ${type}`);
  }
  const headers = forwardedHeaders(response, redact);
  const length = response.headers.get("Content-Length");
  if (length !== null) headers.set("Content-Length", length);
  headers.set(
    "Content-Type",
    ARCHIVE_TYPES.includes(type) ? type : "application/octet-stream",
  );
  if (response.headers.has("Content-Encoding")) {
    for (const name of ENCODED_HEADERS) headers.delete(name);
  }
  const body = hop.isTrusted && response.body !== null
    ? refuseKey(response.body, apiKey, () => invalidResponse("a body with the API key"))
    : response.body;
  return safeResponse(body, response.status, headers);
}
