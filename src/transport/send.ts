import { show } from "../arguments.ts";
import type { ConnectionObstacle } from "../errors.ts";
import { discardBody } from "./bounded_text.ts";
import { connectionAdvice, connectionError } from "./connection_error.ts";
import { connectionObstacle } from "./connection_obstacle.ts";
import type { Hop } from "./hop.ts";
import { type Redact, redactedCause } from "./redact.ts";

/** How to send a hop. */
export interface SendSettings {
  readonly fetch: typeof fetch;
  readonly signal: AbortSignal;
  readonly redact: Redact;
}

/**
 * Sends a hop. This is the only place that calls the `fetch` of the options; whether the response is
 * a redirect or an error status is for the layers around it.
 *
 * @param hop The hop.
 * @param headers All its headers, the key included.
 * @throws {ApiConnectionError} if there is no response.
 */
export async function send(
  hop: Hop,
  headers: Headers,
  { fetch, signal, redact }: SendSettings,
): Promise<Response> {
  const { method, url } = hop;
  let isFaulty = false;
  try {
    // `redirect: "manual"`, since fetch itself would forward X-API-Key to another origin. Called without
    // a receiver, since a browser's fetch accepts none but the window.
    const response = await fetch(url.href, { method, headers, redirect: "manual", signal });
    if (signal.aborted) {
      // This fetch ignores the signal.
      await discardBody(response);
      throw signal.reason;
    }
    if (isUnreadResponse(response)) return response;
    isFaulty = true;
    throw new TypeError(`expected an unread Response, got ${show(response)}`);
  } catch (error) {
    const cause = redactedCause(error, redact);
    const obstacle = isFaulty ? "fetch" : await connectionObstacle(cause, url);
    throw connectionError(
      obstacle ? PROBLEMS[obstacle] : "The connection failed",
      cause,
      { hop },
      redact,
      {
        obstacle,
        ...await connectionAdvice(obstacle, url),
      },
    );
  }
}

const PROBLEMS: Readonly<Record<ConnectionObstacle, string>> = {
  certificate: "The server's certificate is invalid",
  permission: "The runtime has no permission to connect",
  port: "fetch blocks the port",
  fetch: "The fetch function failed",
};

/** Whether a value is a response that was not read yet, of this realm or library or of another. */
function isUnreadResponse(value: Partial<Response> | null | undefined): boolean {
  return typeof value?.status === "number" && typeof value.headers?.get === "function" &&
    !value.bodyUsed;
}
