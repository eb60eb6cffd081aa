import { asapScheduler, Observable } from "rxjs";

/** Those of one kind who wait, the first come first. */
interface Line {
  readonly waiting: Set<() => void>;
  /** One iterator for good: a new one would begin with the gaps of those who have left. */
  readonly turns: Iterator<() => void, never>;
}

function makeLine(): Line {
  const waiting = new Set<() => void>();
  const turns = (function* () {
    for (;;) yield* waiting;
  })();
  return { waiting, turns };
}

/**
 * Makes a limit that the Observables of all who use it share: no more than `max` of them are
 * subscribed to at once, the others wait. Kinds take turns, so that many of one hold up no other;
 * within a kind it is first come, first served. Whoever unsubscribes while waiting leaves the line; a
 * place is free again when its Observable has ended or was unsubscribed from, and is given away once
 * the running code is done: who unsubscribes from many, one after the other, must not make those begin
 * that come next.
 */
export function concurrencyLimit(
  max: number,
): <T>(source$: Observable<T>, kind?: string) => Observable<T> {
  /** Each kind's line, in the order of their turns. */
  const lines = new Map<string, Line>();
  let free = max;
  let isStarting = false;
  const nextLine = (): Line | undefined => {
    for (const [kind, line] of [...lines]) {
      if (line.waiting.size === 0) continue;
      lines.delete(kind);
      lines.set(kind, line);
      return line;
    }
    return undefined;
  };
  const startWaiting = () => {
    // A loop rather than a recursion, since an Observable may end while it is subscribed to.
    if (isStarting) return;
    isStarting = true;
    while (free > 0) {
      const line = nextLine();
      if (line === undefined) break;
      const start = line.turns.next().value;
      line.waiting.delete(start);
      free--;
      start();
    }
    isStarting = false;
  };
  return (source$, kind = "") =>
    new Observable((subscriber) => {
      const line = lines.get(kind) ?? makeLine();
      lines.set(kind, line);
      const start = () => {
        source$.subscribe(subscriber);
        // After the source's own teardown, so that what it does has ended.
        subscriber.add(() => {
          free++;
          if (!isStarting) asapScheduler.schedule(startWaiting);
        });
      };
      line.waiting.add(start);
      subscriber.add(() => line.waiting.delete(start));
      startWaiting();
    });
}
