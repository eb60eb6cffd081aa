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
import { ApiStatusError, InvalidArgumentError } from "../errors.ts";
import { backoffMs } from "../transport/retry.ts";
import type { Checkpoint, CheckpointsListResponse, TrainingRun } from "../types.ts";
import type { WatchEvent, WatchOptions } from "./watch_event.ts";
import { checkpointKey } from "./checkpoint_key.ts";

/** What is there, by what identifies it, in the server's order. */
type Snapshot<T> = ReadonlyMap<string, T>;

/** The pollers that have subscribers, by what and how they poll. */
export type Pollers<T> = Map<string, Observable<Snapshot<T>>>;

/** What to watch. */
export interface Watched<T> {
  /** Tells it from what else is watched with the same `Pollers`. */
  readonly name: string;
  /** Emits all of it once, and completes. */
  readonly list$: Observable<readonly T[]>;
  /** What identifies one of it. */
  readonly idOf: (value: T) => string;
  /** The error statuses that no waiting can mend. */
  readonly fatalStatuses: readonly number[];
}

const DEFAULT_INTERVAL_MS = 10_000;

/** What the growing part of the wait after an error is limited to, unless the interval is longer. */
const MAX_BACKOFF_MS = 300_000;

/** Watches all training runs; what `RestClient.watchTrainingRuns$` promises. */
export function watchTrainingRuns$(
  pollers: Pollers<TrainingRun>,
  list$: Observable<TrainingRun>,
  options: WatchOptions,
): Observable<WatchEvent<TrainingRun>> {
  return watch$(pollers, {
    name: "",
    list$: list$.pipe(toArray()),
    idOf: ({ trainingRunId }) => trainingRunId,
    fatalStatuses: [401, 403],
  }, options);
}

/** Watches the checkpoints of a run; what `RestClient.watchCheckpoints$` promises. */
export function watchCheckpoints$(
  pollers: Pollers<Checkpoint>,
  trainingRunId: string,
  list$: Observable<CheckpointsListResponse>,
  options: WatchOptions,
): Observable<WatchEvent<Checkpoint>> {
  return defer(() => {
    requireTrainingRunId(trainingRunId);
    return watch$(pollers, {
      name: trainingRunId,
      list$: list$.pipe(map(({ checkpoints }) => checkpoints)),
      idOf: checkpointKey,
      fatalStatuses: [401, 403, 404],
    }, options);
  });
}

/**
 * Polls, and emits what has changed since the poll before: first what is no longer there, then what
 * is new or different, in the server's order. Those who watch the same in the same way share one
 * poller, and each of them begins with what is there.
 */
export function watch$<T>(
  pollers: Pollers<T>,
  watched: Watched<T>,
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
    const key = `${intervalMs} ${maxConsecutiveErrors} ${watched.name}`;
    let poller$ = pollers.get(key);
    if (poller$ === undefined) {
      const forget = () => pollers.delete(key);
      poller$ = poll$(watched, intervalMs, maxConsecutiveErrors, random).pipe(
        // Before anyone hears of the error, who might subscribe again.
        tap({ error: forget, unsubscribe: forget }),
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

/** Emits what is there, again and again. */
function poll$<T>(
  { list$, idOf, fatalStatuses }: Watched<T>,
  intervalMs: number,
  maxConsecutiveErrors: number,
  random: () => number,
): Observable<Snapshot<T>> {
  const isFatal = (error: unknown) =>
    error instanceof InvalidArgumentError ||
    error instanceof ApiStatusError && fatalStatuses.includes(error.status);
  const backoff = {
    initialDelayMs: intervalMs,
    maxDelayMs: Math.max(intervalMs, MAX_BACKOFF_MS),
  };
  /** A server in trouble is not to be asked more often than a healthy one, nor before it says. */
  const delayAfter = (error: unknown, errors: number) => {
    const retryAfterMs = error instanceof ApiStatusError ? error.retryAfterMs ?? 0 : 0;
    const delayMs = intervalMs + backoffMs(errors - 1, backoff, random);
    return Math.min(MAX_TIMER_MS, Math.max(delayMs, retryAfterMs));
  };
  return visible$.pipe(
    switchMap(() => list$),
    map((values) => new Map(values.map((value) => [idOf(value), value]))),
    repeat({ delay: () => timer(intervalMs) }),
    retry({
      count: maxConsecutiveErrors - 1,
      resetOnSuccess: true,
      delay: (error, errors) =>
        isFatal(error) ? throwError(() => error) : timer(delayAfter(error, errors)),
    }),
  );
}

/** Emits once as soon as the page is not hidden; at once where there is no page. */
const visible$: Observable<unknown> = defer(() => {
  // Not declared where only the web workers' types are.
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
    else if (!isSame(previous, value)) yield { type: "changed", value, previous };
  }
}

/** By value: both come from the same schema, so that their members are in the same order. */
function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
