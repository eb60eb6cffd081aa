import type { RestClient } from "../rest_client.ts";
import type { ClientEvent } from "../transport/client_event.ts";
import { describeCauses, problemOf } from "./failure.ts";
import type { Terminal } from "./terminal.ts";

/** Shows each retry as a note; with `isDebug`, every event of the client's requests. */
export function logRequests({ events$ }: RestClient, terminal: Terminal, isDebug: boolean): void {
  events$.subscribe((event) => {
    if (isDebug) {
      terminal.debug(formatEvent(event));
    } else if (event.type === "retry") {
      const seconds = (event.delayMs / 1000).toFixed(1);
      terminal.note(`${problemOf(event.error)}; retrying in ${seconds} s`);
    }
  });
}

function formatEvent(event: ClientEvent): string {
  const { type, callId, method, url, attempt } = event;
  const hop = "hop" in event ? `.${event.hop}` : "";
  const isElsewhere = "isApiOrigin" in event && !event.isApiOrigin;
  const origin = isElsewhere ? " (not the API)" : "";
  const request = `${type} ${callId}.${attempt}${hop} ${method} ${url}${origin}`;
  switch (event.type) {
    case "response":
      return `${request} ${event.status} ${Math.round(event.durationMs)} ms`;
    case "failure":
      return `${request} ${describeCauses(event.error)[0]} ${Math.round(event.durationMs)} ms`;
    case "retry":
      return `${request} in ${Math.round(event.delayMs)} ms, after ${
        describeCauses(event.error)[0]
      }`;
    case "error":
      return `${request} ${describeCauses(event.error)[0]}`;
    default:
      return request;
  }
}
