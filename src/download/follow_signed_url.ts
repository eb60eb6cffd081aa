import type { Attempt } from "../transport/attempt.ts";
import type { HopResponse } from "../transport/hop.ts";
import { readJson } from "../transport/read_json.ts";
import { mediaType } from "../transport/response_body.ts";
import { signedUrl } from "../wire.ts";

/** Requests the archive from the signed URL in a JSON response; returns any other response unchanged. */
export async function followSignedUrl(from: HopResponse, attempt: Attempt): Promise<HopResponse> {
  if (mediaType(from.response) !== "application/json" || !from.response.ok) return from;
  const { url } = await readJson(signedUrl)(from, attempt);
  return attempt.follow(from, url);
}
