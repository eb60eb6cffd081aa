import {
  concatMap,
  defer,
  EMPTY,
  filter,
  fromEvent,
  map,
  type Observable,
  of,
  repeat,
  ReplaySubject,
  retry,
  share,
  switchMap,
  take,
  tap,
  throwError,
  timer,
  toArray,
} from "rxjs";
import {
  MAX_TIMER_MS,
  requireBoolean,
  requireInteger,
  requireMilliseconds,
  requireOptions,
  requireTrainingRunId,
} from "../arguments.ts";
import { backoffMs } from "../transport/retry.ts";
import { requestedDelayMs, watchPolicy } from "../transport/retry_policy.ts";
import type { Transport } from "../transport/transport.ts";
import type { Checkpoint, CheckpointsListResponse, TrainingRun } from "../types.ts";
import { checkpointKey } from "./checkpoint_key.ts";
import { checkpointPollers, type Pollers, runPollers, type Snapshot } from "./pollers.ts";
import type { WatchEvent, WatchOptions } from "./watch_event.ts";

/** The target of a watch: a listing that can be polled. */
export interface WatchTarget<T> {
  /** Distinguishes the target from others with the same `Pollers`. */
  readonly name: string;
  /** Emits all items once and completes. */
  readonly list$: Observable<readonly T[]>;
  /** Returns the id of an item. */
  readonly idOf: (value: T) => string;
  /** Whether the target belongs to one run, so that a 404 ends the watch. */
  readonly isOneRun: boolean;
}

const DEFAULT_INTERVAL_MS = 10_000;

/** The largest backoff after an error, unless the interval is longer. */
const MAX_BACKOFF_MS = 300_000;

/** Watches all training runs; implements `RestClient.watchTrainingRuns$`. */
export function watchTrainingRuns$(
  transport: Transport,
  list$: Observable<TrainingRun>,
  options: WatchOptions,
): Observable<WatchEvent<TrainingRun>> {
  return defer(() =>
    watch$(pollersOf(runPollers, transport), {
      name: "",
      list$: list$.pipe(toArray()),
      idOf: ({ trainingRunId }) => trainingRunId,
      isOneRun: false,
    }, options)
  );
}

/** Watches the checkpoints of a run; implements `RestClient.watchCheckpoints$`. */
export function watchCheckpoints$(
  transport: Transport,
  trainingRunId: string,
  list$: Observable<CheckpointsListResponse>,
  options: WatchOptions,
): Observable<WatchEvent<Checkpoint>> {
  return defer(() => {
    requireTrainingRunId(trainingRunId);
    return watch$(pollersOf(checkpointPollers, transport), {
      name: trainingRunId,
      list$: list$.pipe(map(({ checkpoints }) => checkpoints)),
      idOf: checkpointKey,
      isOneRun: true,
    }, options);
  });
}

/**
 * Returns the pollers that a client shares with those made by `RestClient.with`, which have its
 * `events$`. Throws if the client's options are invalid: its poller would fail the others.
 */
function pollersOf<T>(pollers: (owner: object) => Pollers<T>, transport: Transport): Pollers<T> {
  transport.retryOptions();
  return pollers(transport.events$);
}

/**
 * Polls a target and emits the differences between polls: removed items first, then new and changed
 * ones in the server's order.
 *
 * Subscribers with the same target and options share one poller. A late subscriber first receives the
 * items of the last poll.
 */
export function watch$<T>(
  pollers: Pollers<T>,
  target: WatchTarget<T>,
  options: WatchOptions,
  random: () => number = Math.random,
): Observable<WatchEvent<T>> {
  return defer(() => {
    requireOptions("options", options);
    const {
      intervalMs = DEFAULT_INTERVAL_MS,
      emitInitial = true,
      maxConsecutiveErrors = Infinity,
    } = options;
    requireMilliseconds("intervalMs", intervalMs, 1);
    requireBoolean("emitInitial", emitInitial);
    if (maxConsecutiveErrors !== Infinity) {
      requireInteger("maxConsecutiveErrors", maxConsecutiveErrors, 1);
    }
    const key = `${intervalMs} ${maxConsecutiveErrors} ${target.name}`;
    let poller$ = pollers.get(key);
    if (poller$ === undefined) {
      const removePoller = () => pollers.delete(key);
      poller$ = poll$(target, intervalMs, maxConsecutiveErrors, random).pipe(
        // Before subscribers receive the error, since they may resubscribe immediately.
        tap({ error: removePoller, unsubscribe: removePoller }),
        share({ connector: () => new ReplaySubject(1) }),
      );
      pollers.set(key, poller$);
    }
    let before: Snapshot<T> | undefined = emitInitial ? new Map() : undefined;
    return poller$.pipe(
      concatMap((after) => {
        const changes = before === undefined ? EMPTY : changesBetween(before, after);
        before = after;
        return changes;
      }),
    );
  });
}

/** Emits the items of each poll until it fails for good. */
function poll$<T>(
  { list$, idOf, isOneRun }: WatchTarget<T>,
  intervalMs: number,
  maxConsecutiveErrors: number,
  random: () => number,
): Observable<Snapshot<T>> {
  const policy = watchPolicy(isOneRun);
  const backoff = {
    initialDelayMs: intervalMs,
    maxDelayMs: Math.max(intervalMs, MAX_BACKOFF_MS),
  };
  /**
   * Returns the wait after an error: never shorter than the interval, nor than the server's
   * `Retry-After`.
   */
  const delayAfter = (error: unknown, consecutiveErrors: number) => {
    const delayMs = intervalMs + backoffMs(consecutiveErrors - 1, backoff, random);
    return Math.min(MAX_TIMER_MS, Math.max(delayMs, requestedDelayMs(error) ?? 0));
  };
  return whenVisible$.pipe(
    switchMap(() => list$),
    map((values) => new Map(values.map((value) => [idOf(value), value]))),
    repeat({ delay: () => timer(intervalMs) }),
    retry({
      count: maxConsecutiveErrors - 1,
      resetOnSuccess: true,
      delay: (error, consecutiveErrors) =>
        policy(error) === "fail"
          ? throwError(() => error)
          : timer(delayAfter(error, consecutiveErrors)),
    }),
  );
}

/** Emits once when the page is visible; immediately where there is no page. */
const whenVisible$: Observable<unknown> = defer(() => {
  // Type definitions for web workers have no `document`.
  const { document } = globalThis as {
    readonly document?: EventTarget & { readonly visibilityState?: string };
  };
  if (document?.visibilityState !== "hidden") return of(undefined);
  return fromEvent(document, "visibilitychange").pipe(
    filter(() => document.visibilityState !== "hidden"),
    take(1),
  );
});

function* changesBetween<T>(before: Snapshot<T>, after: Snapshot<T>): Iterable<WatchEvent<T>> {
  for (const [id, value] of before) {
    if (!after.has(id)) yield { type: "removed", value };
  }
  for (const [id, value] of after) {
    const previous = before.get(id);
    if (previous === undefined) yield { type: "added", value };
    else if (!isEqual(previous, value)) yield { type: "changed", value, previous };
  }
}

/** Compares by value. Both come from the same decoder, so that their members are in the same order. */
function isEqual(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
