import type { RestClient } from "../rest_client.ts";
import type { ClientEvent } from "../transport/client_event.ts";
import { describe, formatFields, problemOf } from "./failure.ts";
import type { Terminal } from "./terminal.ts";

/** Shows each retry as a note; with `isDebug`, every event of the client's calls. */
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
  const { type, method, url } = event;
  const fields = formatFields(Object.entries(fieldsOf(event)));
  const error = "error" in event ? ` ${describe(event.error)}` : "";
  return `${type} ${method} ${url}${fields}${error}`;
}

/** Returns the fields of an event, in the order in which `--debug` shows them. */
function fieldsOf(event: ClientEvent): Record<string, unknown> {
  const call = { call: event.callId, attempt: event.attempt };
  if (event.type === "retry") return { ...call, delayMs: Math.round(event.delayMs) };
  if (event.type === "error" || event.type === "cancel") return call;
  const hop = { ...call, hop: event.hop, origin: event.isApiOrigin ? "api" : "other" };
  if (event.type === "request") return hop;
  const durationMs = Math.round(event.durationMs);
  if (event.type === "failure") return { ...hop, durationMs };
  return { ...hop, status: event.status, durationMs, requestId: event.requestId };
}
