import { asapScheduler, Observable } from "rxjs";

/** The queue of one kind of Observables, first in, first out. */
interface Queue {
  /** Functions that subscribe to the waiting Observables. */
  readonly waiting: Set<() => void>;
  /** Iterates over `waiting`. Reused, since each new iterator would pass over all removed elements. */
  readonly starts: Iterator<() => void, never>;
}

function makeQueue(): Queue {
  const waiting = new Set<() => void>();
  const starts = (function* () {
    for (;;) yield* waiting;
  })();
  return { waiting, starts };
}

/**
 * Makes a limit: of the Observables that pass through it, at most `max` are subscribed to concurrently.
 * The others wait, in a queue for each kind.
 *
 * - Kinds take turns, so that many Observables of one kind do not delay another kind.
 * - Unsubscribing removes a waiting Observable from its queue.
 * - A slot is free when its Observable has ended or was unsubscribed from. It is reused
 *   asynchronously: unsubscribing from many Observables in a loop must not start the last of them.
 */
export function concurrencyLimit(
  max: number,
): <T>(source$: Observable<T>, kind?: string) => Observable<T> {
  /** The queue of each kind, in the order of their turns. */
  const queues = new Map<string, Queue>();
  let freeSlots = max;
  let isStarting = false;
  const nextQueue = (): Queue | undefined => {
    for (const [kind, queue] of [...queues]) {
      if (queue.waiting.size === 0) continue;
      queues.delete(kind);
      queues.set(kind, queue);
      return queue;
    }
    return undefined;
  };
  const startWaiting = () => {
    // Not recursive: an Observable may end while it is being subscribed to.
    if (isStarting) return;
    isStarting = true;
    while (freeSlots > 0) {
      const queue = nextQueue();
      if (queue === undefined) break;
      const start = queue.starts.next().value;
      queue.waiting.delete(start);
      freeSlots--;
      start();
    }
    isStarting = false;
  };
  return (source$, kind = "") =>
    new Observable((subscriber) => {
      const queue = queues.get(kind) ?? makeQueue();
      queues.set(kind, queue);
      const start = () => {
        source$.subscribe(subscriber);
        // Added last, so that it runs after the teardown of the source.
        subscriber.add(() => {
          freeSlots++;
          if (!isStarting) asapScheduler.schedule(startWaiting);
        });
      };
      queue.waiting.add(start);
      subscriber.add(() => queue.waiting.delete(start));
      startWaiting();
    });
}
