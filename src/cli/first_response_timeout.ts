import {
  defer,
  exhaustMap,
  filter,
  map,
  type MonoTypeOperatorFunction,
  takeUntil,
  tap,
  timer,
} from "rxjs";
import type { RestClient } from "../rest_client.ts";
import { EXIT_CODES, Failure, NETWORK_ADVICE, toFailure } from "./failure.ts";

/** How long a command waits for the first response, from its first request on. */
const FIRST_RESPONSE_TIMEOUT_MS = 15_000;

/**
 * Unsubscribes and fails if no request gets a response within 15 s of the first request. A wrong host
 * name or a missing network fails sooner this way than after all retries. The failure includes the
 * error of the last attempt, if an attempt has failed.
 */
export function timeoutFirstResponse<T>(
  { events$ }: Pick<RestClient, "events$">,
): MonoTypeOperatorFunction<T> {
  return (work$) =>
    defer(() => {
      let lastError: unknown;
      const timeout$ = events$.pipe(
        tap((event) => {
          if (event.type === "retry") lastError = event.error;
        }),
        filter(({ type }) => type === "request"),
        exhaustMap(({ url }) =>
          timer(FIRST_RESPONSE_TIMEOUT_MS).pipe(map((): never => {
            throw noResponse(new URL(url).origin, lastError);
          }))
        ),
        takeUntil(events$.pipe(filter(({ type }) => type === "response"))),
      );
      return work$.pipe(takeUntil(timeout$));
    });
}

function noResponse(origin: string, lastError: unknown): Failure {
  const timeout = `no response from ${origin} within ${FIRST_RESPONSE_TIMEOUT_MS / 1000} s`;
  if (lastError === undefined) {
    return new Failure(`Received ${timeout}`, EXIT_CODES.network, { advice: NETWORK_ADVICE });
  }
  const { problem, advice } = toFailure(lastError);
  return new Failure(`${problem}; ${timeout}`, EXIT_CODES.network, { advice, cause: lastError });
}
