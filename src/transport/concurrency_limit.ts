import { asapScheduler, Observable } from "rxjs";

/**
 * Makes a limit that the Observables of all who use it share: no more than `max` of them are
 * subscribed to at once, the others wait, first come, first served. Whoever unsubscribes while waiting
 * leaves the queue; a place is free again when its Observable has ended or was unsubscribed from, and
 * is given away once the running code is done: who unsubscribes from many, one after the other, must
 * not make those begin that come next.
 */
export function concurrencyLimit(max: number): <T>(source$: Observable<T>) => Observable<T> {
  const waiting = new Set<() => void>();
  // One iterator for good: a new one would begin with the gaps that those who have left leave behind.
  const queue = (function* () {
    for (;;) yield* waiting;
  })();
  let free = max;
  let isStarting = false;
  const startWaiting = () => {
    // A loop rather than a recursion, since an Observable may end while it is subscribed to.
    if (isStarting) return;
    isStarting = true;
    while (free > 0 && waiting.size > 0) {
      const start = queue.next().value;
      waiting.delete(start);
      free--;
      start();
    }
    isStarting = false;
  };
  return (source$) =>
    new Observable((subscriber) => {
      const start = () => {
        source$.subscribe(subscriber);
        // After the source's own teardown, so that what it does has ended.
        subscriber.add(() => {
          free++;
          if (!isStarting && waiting.size > 0) asapScheduler.schedule(startWaiting);
        });
      };
      waiting.add(start);
      subscriber.add(() => waiting.delete(start));
      startWaiting();
    });
}
