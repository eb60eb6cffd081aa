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
import { EXIT_CODES, Failure, NETWORK_ADVICE, sentence } from "./failure.ts";

/** How long after its first request a command waits for a host that has never responded. */
const FIRST_RESPONSE_TIMEOUT_MS = 15_000;

/**
 * Unsubscribes and fails if no request has been responded to 15 s after the first one: who mistypes a
 * host, or has no network, need not wait as long as an outage may last. The failure's reason is the
 * last attempt's error, where one has failed by then.
 */
export function requireFirstResponse<T>(
  { events$ }: Pick<RestClient, "events$">,
): MonoTypeOperatorFunction<T> {
  return (work$) =>
    defer(() => {
      let reason: unknown;
      const unreachable$ = events$.pipe(
        tap((event) => {
          if (event.type === "retry") reason = event.error;
        }),
        filter(({ type }) => type === "request"),
        exhaustMap(({ url }) =>
          timer(FIRST_RESPONSE_TIMEOUT_MS).pipe(map((): never => {
            throw unreachable(new URL(url).origin, reason);
          }))
        ),
        takeUntil(events$.pipe(filter(({ type }) => type === "response"))),
      );
      return work$.pipe(takeUntil(unreachable$));
    });
}

function unreachable(origin: string, reason: unknown): Failure {
  const silence = `${origin} has not responded within ${FIRST_RESPONSE_TIMEOUT_MS / 1000} s.`;
  return new Failure(
    reason === undefined ? silence : `${sentence(reason)}; ${silence}`,
    NETWORK_ADVICE,
    EXIT_CODES.network,
    { cause: reason },
  );
}
