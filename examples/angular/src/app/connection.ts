import { inject, Injectable } from "@angular/core";
import { toSignal } from "@angular/core/rxjs-interop";
import { ApiConnectionError, type ClientEvent } from "@hpcai/rx";
import { filter, map } from "rxjs";
import { REST_CLIENT } from "./rest-client";

export type ConnectionStatus = "connecting" | "connected" | "reconnecting" | "offline";

/** Shows whether the server responds, from the events of the client. */
@Injectable({ providedIn: "root" })
export class Connection {
  readonly status = toSignal(
    inject(REST_CLIENT).events$.pipe(
      map(statusAfter),
      filter((status) => status !== undefined),
    ),
    { initialValue: "connecting" },
  );
}

function statusAfter(event: ClientEvent): ConnectionStatus | undefined {
  switch (event.type) {
    case "response":
      return "connected";
    case "retry":
      return event.error instanceof ApiConnectionError ? "reconnecting" : undefined;
    case "error":
      return event.error instanceof ApiConnectionError ? "offline" : undefined;
    default:
      return undefined;
  }
}
