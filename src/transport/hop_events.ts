import { asyncScheduler } from "rxjs";
import { ApiConnectionError, type ApiRequestInfo } from "../errors.ts";
import type {
  ClientEventBase,
  FailureEvent,
  HopEventBase,
  RequestEvent,
  ResponseEvent,
} from "./client_event.ts";
import { type Hop, type HopResponse, requestInfo, type SendHop } from "./hop.ts";
import type { Redact } from "./redact.ts";
import { requestIdOf } from "./request_id.ts";

/** What the call adds to the events of its hops. */
export type CallInfo = Pick<ClientEventBase, "callId" | "operation" | "attempt">;

/** An event of a hop, to which the call adds its part. */
export type HopEvent =
  | Omit<RequestEvent, keyof CallInfo>
  | Omit<ResponseEvent, keyof CallInfo>
  | Omit<FailureEvent, keyof CallInfo>;

/** What the events of hops depend on. */
export interface HopEventSettings {
  /** The API's URL, whose origin hops are compared with. */
  readonly baseUrl: URL;
  readonly redact: Redact;
  readonly signal: AbortSignal;
  readonly emit: (event: HopEvent) => void;
}

/** Sends hops and reports them. */
export interface ObservedHops {
  /** Sends a hop: emits `request`, then `response` or `failure`. */
  readonly send: SendHop;
  /** The latest hop, as errors may show it. */
  latest(): ApiRequestInfo | undefined;
  /** Emits the `failure` of the hop in flight, if there is one. */
  fail(error: ApiConnectionError): void;
}

/**
 * Reports the hops of an attempt, numbered from 1. Once the signal is aborted no more events follow, so
 * that none comes after the call's own `cancel` or `error`.
 *
 * @param send The layer below.
 */
export function observeHops(
  send: (hop: Hop) => Promise<Response>,
  { baseUrl, redact, signal, emit }: HopEventSettings,
): ObservedHops {
  let number = 0;
  let latest: ApiRequestInfo | undefined;
  let fail = (_error: ApiConnectionError): void => {};

  const sendObserved = async (hop: Hop): Promise<HopResponse> => {
    const startedAt = asyncScheduler.now();
    latest = requestInfo({ hop }, redact);
    const base: Omit<HopEventBase, keyof CallInfo> = {
      method: hop.method,
      url: latest.requestUrl,
      hop: ++number,
      isApiOrigin: hop.url.origin === baseUrl.origin,
    };
    const end = () => {
      fail = () => {};
      return asyncScheduler.now() - startedAt;
    };
    fail = (error) => emit({ type: "failure", ...base, error, durationMs: end() });
    emit({ type: "request", ...base });
    // A subscriber of the event may have unsubscribed from the call.
    signal.throwIfAborted();
    try {
      const response = await send(hop);
      const { status, headers } = response;
      const requestId = requestIdOf(headers, redact);
      latest = { ...latest, requestId };
      emit({ type: "response", ...base, status, requestId, durationMs: end() });
      return { hop, response };
    } catch (error) {
      if (!signal.aborted && error instanceof ApiConnectionError) fail(error);
      throw error;
    }
  };

  return { send: sendObserved, latest: () => latest, fail: (error) => fail(error) };
}
