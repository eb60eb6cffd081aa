import type { ApiRequestInfo } from "../errors.ts";
import { type Redact, shownUrl } from "./redact.ts";
import { requestIdOf } from "./request_id.ts";

/** One HTTP request of a call: the API request itself, a redirect, a signed URL, or a repetition. */
export interface Hop {
  readonly url: URL;
  readonly method: string;
  /** The headers that every server may receive, such as `Accept` and `Range`. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether it carries the key and the caller's headers: it and all hops before it go to the API. */
  readonly isTrusted: boolean;
  /** How many redirects led to it; a signed URL from a JSON response counts as one. */
  readonly redirects: number;
}

/** The response to a hop, its body unread. */
export interface HopResponse {
  readonly hop: Hop;
  readonly response: Response;
}

/** Sends a hop. */
export type SendHop = (hop: Hop) => Promise<HopResponse>;

/** The part of a hop, and of its response where there is one, that errors and events may hold. */
export function requestInfo(
  { hop: { method, url }, response }: { readonly hop: Hop; readonly response?: Response },
  redact: Redact,
): ApiRequestInfo {
  return {
    method,
    requestUrl: redact(shownUrl(url)),
    requestId: requestIdOf(response?.headers, redact),
  };
}
