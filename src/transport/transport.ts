import {
  defer,
  type MonoTypeOperatorFunction,
  type Observable,
  Subject,
  tap,
  throwError,
  timeout,
} from "rxjs";
import { type ClientSettings, overrideSettings, toClientSettings } from "../client_settings.ts";
import { type ApiRequestInfo, ApiTimeoutError } from "../errors.ts";
import type { ClientOverrides, RestClientOptions, RetryOptions } from "../options.ts";
import { fromAbortable } from "./from_abortable.ts";
import { resolveApiKey } from "./resolve_api_key.ts";
import type { Attempt, ReadResponse } from "./attempt.ts";
import type { ClientEvent, ClientOperation } from "./client_event.ts";
import { concurrencyLimit } from "./concurrency_limit.ts";
import { hopSender } from "./hop_sender.ts";
import { urlWithoutQuery } from "./redact.ts";
import { type Preparation, retryWithBackoff } from "./retry.ts";
import { archivePolicy, callPolicy } from "./retry_policy.ts";
import { type RouteOptions, routeUrl } from "./route_url.ts";
import { requireSuccess, type StatusRules } from "./status_error.ts";

/** A request to an endpoint of the API. */
export interface ApiRequest extends RouteOptions, StatusRules {
  readonly operation: ClientOperation;
  readonly method: "GET" | "DELETE";
  readonly headers?: Readonly<Record<string, string>>;
  /** How to wait for an archive that the server is still building. */
  readonly preparation?: Preparation;
  /** How long after its first failure it is still retried, in milliseconds. Default `maxElapsedMs`. */
  readonly retryForMs?: number | undefined;
}

/** Turns requests into Observables of their responses. */
export interface Transport {
  /** Reports the requests. */
  readonly events$: Observable<ClientEvent>;
  /** How failed requests are retried. Throws if the client's options are invalid. */
  retryOptions(): RetryOptions;
  /**
   * Makes the transfer of an archive wait for its turn. Its limit is separate from that of requests,
   * which also applies to the requests of a transfer. Throws if the client's options are invalid.
   */
  limitTransfers<T>(transfer$: Observable<T>): Observable<T>;
  /**
   * Sends a request when it is its turn, with timeout and retries. Cold; emits the result of `read` once
   * and completes.
   *
   * @param request The request.
   * @param read Reads a response with a success status.
   * @param eachAttempt Applied to each attempt, inside the retries.
   */
  request$<T>(
    request: ApiRequest,
    read: ReadResponse<T>,
    eachAttempt?: MonoTypeOperatorFunction<T>,
  ): Observable<T>;
  /** Makes a transport with other settings that shares limits, call ids and `events$` with this one. */
  with(overrides: ClientOverrides): Transport;
}

/** Makes a transport. Invalid options are the error of each request. */
export function createTransport(options: RestClientOptions): Transport {
  const clientState = deferError(() => {
    const settings = toClientSettings(options);
    return {
      settings,
      limitRequests: concurrencyLimit(settings.maxConcurrentRequests),
      limitTransfers: concurrencyLimit(settings.maxConcurrentRequests),
    };
  });
  const events = new Subject<ClientEvent>();
  const events$ = events.asObservable();
  let lastCallId = 0;

  const transportWith = (settingsOf: () => ClientSettings): Transport => ({
    events$,
    retryOptions: () => settingsOf().retry,
    limitTransfers: (transfer$) => clientState().limitTransfers(transfer$),
    with: (overrides) => transportWith(deferError(() => overrideSettings(settingsOf(), overrides))),
    request$: (request, read, eachAttempt = (attempt$) => attempt$) =>
      defer(() => {
        const settings = settingsOf();
        const { timeoutMs, retry } = settings;
        const { operation, method, preparation, retryForMs = retry.maxElapsedMs } = request;
        const url = routeUrl(settings.baseUrl, request);
        const info: ApiRequestInfo = { method, requestUrl: urlWithoutQuery(url) };
        const callId = ++lastCallId;
        let attempts = 0;
        let hasResponse = false;
        const base = () => ({ callId, operation, attempt: attempts, method, url: info.requestUrl });

        const attempt$ = defer(() => {
          const call = { callId, operation, attempt: ++attempts };
          let attempt: Attempt | undefined;
          return fromAbortable(async (controller) => {
            const { signal } = controller;
            const { apiKey: key, maxJsonBytes } = settings;
            // A key that is not a function is not awaited, so that the request is sent synchronously.
            const apiKey = typeof key === "function" ? await resolveApiKey(key, settings) : key;
            signal.throwIfAborted();
            attempt = {
              ...hopSender({
                settings,
                apiKey,
                signal,
                emit: (event) => events.next({ ...call, ...event }),
              }),
              maxJsonBytes,
              abort: () => controller.abort(),
            };
            const { headers = {} } = request;
            const response = await attempt.send({
              url,
              method,
              headers,
              isTrusted: true,
              redirects: 0,
            });
            await requireSuccess(response, attempt.redact, request);
            return read(response, attempt);
          }).pipe(
            timeout({
              first: timeoutMs,
              with: () => {
                const error = timeoutError(timeoutMs, attempt?.latestRequest() ?? info);
                attempt?.reportFailure(error);
                return throwError(() => error);
              },
            }),
          );
        });

        return attempt$.pipe(
          (attempt$) => clientState().limitRequests(attempt$, operation),
          eachAttempt,
          retryWithBackoff(retry, {
            policy: preparation === undefined ? callPolicy() : archivePolicy(),
            preparation,
            retryForMs: () => retryForMs,
            onRetry: (error, delayMs) => events.next({ type: "retry", ...base(), error, delayMs }),
          }),
          tap({
            next: () => hasResponse = true,
            error: (error) => events.next({ type: "error", ...base(), error }),
            unsubscribe: () => {
              // A call that is still in its queue has no events.
              if (!hasResponse && attempts > 0) events.next({ type: "cancel", ...base() });
            },
          }),
        );
      }),
  });

  return transportWith(() => clientState().settings);
}

function timeoutError(timeoutMs: number, request: ApiRequestInfo): ApiTimeoutError {
  return new ApiTimeoutError(`The request timed out after ${timeoutMs} ms`, request, {
    advice: "Increase timeoutMs if the server needs longer.",
  });
}

/** Calls a function, and returns a function that returns its value or throws its error. */
function deferError<T>(run: () => T): () => T {
  try {
    const value = run();
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}
