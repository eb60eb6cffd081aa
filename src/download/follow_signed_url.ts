import type { Attempt } from "../transport/attempt.ts";
import type { HopResponse } from "../transport/hop.ts";
import { mediaType } from "../transport/media_type.ts";
import { readJson } from "../transport/read_json.ts";
import { signedUrl } from "../wire.ts";

/** Follows the signed URL in a JSON response to the archive; returns any other response unchanged. */
export async function followSignedUrl(from: HopResponse, attempt: Attempt): Promise<HopResponse> {
  if (mediaType(from.response) !== "application/json" || !from.response.ok) return from;
  const { url } = await readJson(signedUrl)(from, attempt);
  return attempt.follow(from, url);
}
