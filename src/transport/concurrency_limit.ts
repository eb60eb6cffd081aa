import { asapScheduler, Observable } from "rxjs";

/** The queue of one kind of Observables, first in, first out. */
interface Queue {
  /** Starts of the Observables that wait. */
  readonly waiting: Set<() => void>;
  /** A single iterator, since a new one would skip the gaps of removed elements each time. */
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
 * Makes a limit: of the Observables that pass through it, at most `max` are subscribed to at once, and
 * the others wait in a queue for each kind.
 *
 * - Kinds take turns, so that many Observables of one kind do not delay another kind.
 * - Unsubscribing removes a waiting Observable from its queue.
 * - A slot is free when its Observable has ended or was unsubscribed from. It is used again after the
 *   running code: unsubscribing from many Observables in a loop must not start the last of them.
 */
export function concurrencyLimit(
  max: number,
): <T>(source$: Observable<T>, kind?: string) => Observable<T> {
  /** The queue of each kind, in the order of their turns. */
  const queues = new Map<string, Queue>();
  let free = max;
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
    // A loop rather than a recursion, since an Observable may end while it is subscribed to.
    if (isStarting) return;
    isStarting = true;
    while (free > 0) {
      const queue = nextQueue();
      if (queue === undefined) break;
      const start = queue.starts.next().value;
      queue.waiting.delete(start);
      free--;
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
        // After the source's own teardown, so that what it does has ended.
        subscriber.add(() => {
          free++;
          if (!isStarting) asapScheduler.schedule(startWaiting);
        });
      };
      queue.waiting.add(start);
      subscriber.add(() => queue.waiting.delete(start));
      startWaiting();
    });
}
