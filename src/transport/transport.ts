import {
  asyncScheduler,
  defer,
  type MonoTypeOperatorFunction,
  type Observable,
  Subject,
  tap,
  throwError,
  timeout,
} from "rxjs";
import { ApiStatusError, ApiTimeoutError, InvalidArgumentError } from "../errors.ts";
import {
  headerKey,
  type ResolvedOptions,
  resolveOptions,
  type RestClientOptions,
  type RetryOptions,
} from "../options.ts";
import { abortable } from "./abortable.ts";
import type { ClientEvent, ClientEventContext, Operation } from "./client_event.ts";
import { concurrencyLimit } from "./concurrency_limit.ts";
import {
  type Answer,
  deepestReason,
  exchange,
  type ExchangeContext,
  MAX_REDIRECTS,
  requestInfo,
} from "./exchange.ts";
import { redactor, shownUrl } from "./redact.ts";
import { isTransient, type Patience, retryTransient } from "./retry.ts";
import { statusError } from "./status_error.ts";

/** A request to an endpoint of the API. */
export interface ApiRequest {
  readonly operation: Operation;
  readonly method: "GET" | "DELETE";
  /** The route below `/api/v1/`, as segments that are not yet percent-encoded. */
  readonly path: readonly string[];
  readonly query?: Readonly<Record<string, number>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Error statuses that `read` takes all the same. */
  readonly alsoAccepted?: readonly number[];
  /** What to do about error statuses that have a meaning of their own at the endpoint. */
  readonly adviceFor?: Readonly<Record<number, string>>;
  /** A state of the server to wait for without counting it as a failure. */
  readonly patience?: Patience;
  /** How long after its first failure it is still retried, in milliseconds. Default `maxElapsedMs`. */
  readonly retryForMs?: number | undefined;
}

/**
 * Turns a successful answer into a value. It is part of the attempt: the time limit covers it, and
 * a connection error from it leads to another attempt.
 */
export type ReadAnswer<T> = (answer: Answer, context: ExchangeContext) => Promise<T>;

/** Turns requests into Observables of their answers. */
export interface Transport {
  /** What happens to the requests. */
  readonly events$: Observable<ClientEvent>;
  /** How failures are tried again. Throws if the client's options are not usable. */
  retryOptions(): RetryOptions;
  /**
   * Makes the transfer of an archive wait for its turn. The turns are other ones than those of requests,
   * which the transfer needs too. Throws if the client's options are not usable.
   */
  limitTransfers<T>(transfer$: Observable<T>): Observable<T>;
  /**
   * Sends a request when it is its turn, with time limit and retries. Cold; emits what `read` makes of
   * the answer, once.
   *
   * @param request What to ask.
   * @param read Reads a successful answer.
   * @param eachAttempt Applied to each attempt, inside the retries.
   */
  request$<T>(
    request: ApiRequest,
    read: ReadAnswer<T>,
    eachAttempt?: MonoTypeOperatorFunction<T>,
  ): Observable<T>;
}

/** Makes a transport. Options that are not usable surface as the error of each request. */
export function createTransport(options: RestClientOptions): Transport {
  const resolved = lazyOutcome(() => {
    const given = resolveOptions(options);
    return {
      ...given,
      limitRequests: concurrencyLimit(given.maxConcurrentRequests),
      limitTransfers: concurrencyLimit(given.maxConcurrentRequests),
    };
  });
  const events = new Subject<ClientEvent>();
  let lastRequestId = 0;

  function request$<T>(
    request: ApiRequest,
    read: ReadAnswer<T>,
    eachAttempt: MonoTypeOperatorFunction<T> = (source) => source,
  ): Observable<T> {
    return defer(() => {
      const options = resolved();
      const url = routeUrl(options.baseUrl, request);
      const requestId = ++lastRequestId;
      const shown = shownUrl(url);
      let attempts = 0;
      let renewals = 0;
      let isAnswered = false;
      const context = (attempt = attempts): ClientEventContext => ({
        requestId,
        operation: request.operation,
        method: request.method,
        url: shown,
        attempt,
      });
      const attempt$ = defer(() => {
        const attempt = ++attempts;
        events.next({ type: "request", ...context() });
        const startedAt = asyncScheduler.now();
        return abortable((controller) =>
          answer(request, url, options, controller, read, (status) => {
            const durationMs = asyncScheduler.now() - startedAt;
            events.next({ type: "response", ...context(attempt), status, durationMs });
          })
        );
      });
      return attempt$.pipe(
        timeout({
          first: options.timeoutMs,
          with: () => throwError(() => timeoutError(options.timeoutMs, request, shown)),
        }),
        (attempt$) => options.limitRequests(attempt$, request.operation),
        eachAttempt,
        retryTransient(options.retry, {
          patience: request.patience,
          retryForMs: () => request.retryForMs ?? options.retry.maxElapsedMs,
          isRetried: (error) =>
            isTransient(error) || isExpiredUrl(error) && ++renewals <= MAX_RENEWALS,
          onRetry: (error, delayMs) => {
            events.next({ type: "retry", ...context(), error, delayMs });
          },
        }),
        tap({
          next: () => isAnswered = true,
          error: (error) => events.next({ type: "failure", ...context(), error }),
          unsubscribe: () => {
            // One that has not had its turn has no events yet.
            if (!isAnswered && attempts > 0) events.next({ type: "cancel", ...context() });
          },
        }),
      );
    });
  }

  return {
    events$: events.asObservable(),
    retryOptions: () => resolved().retry,
    limitTransfers: (transfer$) => resolved().limitTransfers(transfer$),
    request$,
  };
}

/** One attempt: key, exchange, status, body. */
async function answer<T>(
  request: ApiRequest,
  url: URL,
  options: ResolvedOptions,
  controller: AbortController,
  read: ReadAnswer<T>,
  onResponse: (status: number) => void,
): Promise<T> {
  // Not awaited where there is no function, so that the request goes out at once.
  const apiKey = typeof options.apiKey === "function"
    ? await keyFrom(options.apiKey, options)
    : options.apiKey;
  controller.signal.throwIfAborted();
  const context: ExchangeContext = {
    options,
    apiKey,
    controller,
    ...redactor(apiKey, options.headers),
  };
  const { method, headers = {} } = request;
  const answer = await exchange({
    url,
    method,
    headers,
    isTrusted: true,
    redirectsLeft: MAX_REDIRECTS,
  }, context);
  onResponse(answer.response.status);
  await requireSuccess(answer, context, request);
  return read(answer, context);
}

/** Throws the error that an answer's status stands for, unless it is a success or accepted too. */
export async function requireSuccess(
  answer: Answer,
  { redact }: ExchangeContext,
  { alsoAccepted = [], adviceFor }: Pick<ApiRequest, "alsoAccepted" | "adviceFor">,
): Promise<void> {
  const { response, request } = answer;
  if (response.ok || alsoAccepted.includes(response.status)) return;
  const isRedirected = request.redirectsLeft < MAX_REDIRECTS;
  throw await statusError(
    response,
    { ...requestInfo(answer, redact), isRedirected },
    redact,
    adviceFor,
  );
}

async function keyFrom(
  apiKey: () => string | Promise<string>,
  { headers }: ResolvedOptions,
): Promise<string> {
  try {
    return headerKey(await apiKey());
  } catch (cause) {
    if (cause instanceof InvalidArgumentError) throw cause;
    const reason = redactor(undefined, headers).redact(deepestReason(cause));
    throw new InvalidArgumentError("apiKey", `is a function that failed: ${reason}`, { cause });
  }
}

function routeUrl(baseUrl: URL, { path, query = {} }: ApiRequest): URL {
  const route = ["api", "v1", ...path].map(encodeURIComponent).join("/");
  const search = Object.entries(query).map(([name, value]) => `${name}=${value}`).join("&");
  return new URL(`${baseUrl.href.replace(/\/+$/, "")}/${route}${search && `?${search}`}`);
}

/** How often one request asks for a new signed URL. A storage that refuses more refuses them all. */
const MAX_RENEWALS = 3;

/**
 * Whether a signed URL has expired, so that another attempt, which asks the API for a new one, may
 * help: a storage refuses it with 401 or 403, or with 400 and a code such as `ExpiredToken`.
 */
function isExpiredUrl(error: unknown): boolean {
  if (!(error instanceof ApiStatusError && error.isRedirected)) return false;
  const { status, code = "", shouldRetry } = error;
  return shouldRetry !== false &&
    (status === 401 || status === 403 ||
      status === 400 && /Expired|Token|^AccessDenied$/.test(code));
}

function timeoutError(
  timeoutMs: number,
  { method }: ApiRequest,
  requestUrl: string,
): ApiTimeoutError {
  return new ApiTimeoutError(
    `The request timed out after ${timeoutMs} ms`,
    { method, requestUrl },
    { advice: "Increase timeoutMs if the server needs longer." },
  );
}

/** Calls a function now and gives its outcome, value or error, as often as it is asked for. */
function lazyOutcome<T>(run: () => T): () => T {
  try {
    const value = run();
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}
