import { inspect } from "../arguments.ts";
import type { ConnectionObstacle } from "../errors.ts";
import { discardBody } from "./response_body.ts";
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
 * Sends a hop. No other function calls the option `fetch`. The layers around this one treat redirects and
 * error statuses.
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
  let isInvalid = false;
  try {
    // `redirect: "manual"`, since fetch itself would forward X-API-Key to another origin. Called as a
    // function, not as a method, since a browser's fetch accepts only the window as `this`.
    const response = await fetch(url.href, { method, headers, redirect: "manual", signal });
    if (signal.aborted) {
      // The option `fetch` ignores the signal.
      await discardBody(response);
      throw signal.reason;
    }
    if (isUnreadResponse(response)) return response;
    isInvalid = true;
    throw new TypeError(`expected an unread Response, got ${inspect(response)}`);
  } catch (error) {
    const cause = redactedCause(error, redact);
    const obstacle = isInvalid ? "fetch" : await connectionObstacle(cause, url);
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

/** Whether a value is a response whose body is unread; it may belong to another realm or a polyfill. */
function isUnreadResponse(value: Partial<Response> | null | undefined): boolean {
  return typeof value?.status === "number" && typeof value.headers?.get === "function" &&
    !value.bodyUsed;
}
