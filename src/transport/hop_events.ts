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

/** The fields that the call adds to the events of its hops. */
export type CallInfo = Pick<ClientEventBase, "callId" | "operation" | "attempt">;

/** An event of a hop without the fields of the call. */
export type HopEvent =
  | Omit<RequestEvent, keyof CallInfo>
  | Omit<ResponseEvent, keyof CallInfo>
  | Omit<FailureEvent, keyof CallInfo>;

/** How to report hops. */
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
  /** The latest hop, as errors may contain it. */
  latestRequest(): ApiRequestInfo | undefined;
  /** Emits the `failure` of the hop in flight, if there is one. */
  reportFailure(error: ApiConnectionError): void;
}

/**
 * Reports the hops of an attempt, numbered from 1. Once the signal is aborted, no event follows, so
 * that none comes after the call's `cancel` or `error`.
 *
 * @param send The layer below.
 */
export function observeHops(
  send: (hop: Hop) => Promise<Response>,
  { baseUrl, redact, signal, emit }: HopEventSettings,
): ObservedHops {
  let number = 0;
  let latestRequest: ApiRequestInfo | undefined;
  let reportFailure = (_error: ApiConnectionError): void => {};

  const sendAndReport = async (hop: Hop): Promise<HopResponse> => {
    const startedAt = asyncScheduler.now();
    latestRequest = requestInfo({ hop }, redact);
    const base: Omit<HopEventBase, keyof CallInfo> = {
      method: hop.method,
      url: latestRequest.requestUrl,
      hop: ++number,
      isApiOrigin: hop.url.origin === baseUrl.origin,
    };
    const end = () => {
      reportFailure = () => {};
      return asyncScheduler.now() - startedAt;
    };
    reportFailure = (error) => emit({ type: "failure", ...base, error, durationMs: end() });
    emit({ type: "request", ...base });
    // A subscriber of the event may have unsubscribed from the call.
    signal.throwIfAborted();
    try {
      const response = await send(hop);
      const { status, headers } = response;
      const requestId = requestIdOf(headers, redact);
      latestRequest = { ...latestRequest, requestId };
      emit({ type: "response", ...base, status, requestId, durationMs: end() });
      return { hop, response };
    } catch (error) {
      if (!signal.aborted && error instanceof ApiConnectionError) reportFailure(error);
      throw error;
    }
  };

  return {
    send: sendAndReport,
    latestRequest: () => latestRequest,
    reportFailure: (error) => reportFailure(error),
  };
}
