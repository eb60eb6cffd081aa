import { ApiResponseValidationError } from "../errors.ts";
import type { Attempt } from "../transport/attempt.ts";
import { discardBody } from "../transport/bounded_text.ts";
import { type HopResponse, requestInfo } from "../transport/hop.ts";
import { readJson } from "../transport/read_json.ts";
import { signedUrl } from "../wire.ts";
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

/** Follows the signed URL in a JSON response to the archive; returns any other response unchanged. */
export async function followSignedUrl(from: HopResponse, attempt: Attempt): Promise<HopResponse> {
  if (mediaType(from.response) !== "application/json" || !from.response.ok) return from;
  const { url } = await readJson(signedUrl)(from, attempt);
  return attempt.follow(from, url);
}

/**
 * Creates the response with an archive, whose body is streamed.
 *
 * @throws {ApiResponseValidationError} if the server responds with a page or with JSON.
 */
export async function archiveResponse(from: HopResponse, { redact }: Attempt): Promise<Response> {
  const { response } = from;
  const type = mediaType(response);
  if (PAGE_TYPES.includes(type) || type === "application/json") {
    await discardBody(response);
    throw new ApiResponseValidationError(
      "expected the bytes of an archive",
      "",
      `a body of type ${type}`,
      requestInfo(from, redact),
    );
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
  return safeResponse(response.body, response.status, headers);
}

function mediaType({ headers }: Response): string {
  return headers.get("Content-Type")?.split(";")[0]?.trim().toLowerCase() ?? "";
}
