import type { ApiRequestInfo } from "../errors.ts";
import { type Redact, urlWithoutQuery } from "./redact.ts";
import { requestIdOf } from "./request_id.ts";

/**
 * One HTTP request of a call: the API request itself, a redirect, a signed URL, or a repeated request.
 */
export interface Hop {
  readonly url: URL;
  readonly method: string;
  /** The headers that every server may receive, such as `Accept` and `Range`. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * Whether it has the key and the caller's headers: it and all hops before it go to the API's origin.
   */
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

/** The part of a hop and of its response, if any, that errors and events may contain. */
export function requestInfo(
  { hop: { method, url }, response }: { readonly hop: Hop; readonly response?: Response },
  redact: Redact,
): ApiRequestInfo {
  return {
    method,
    requestUrl: redact(urlWithoutQuery(url)),
    requestId: requestIdOf(response?.headers, redact),
  };
}
