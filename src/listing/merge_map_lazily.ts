import { Observable } from "rxjs";

/**
 * Like `from(values).pipe(mergeMap(project, concurrency))`, but takes a value only once there is room
 * for it.
 *
 * @param values What to go through; its iterator is closed where not all of it is wanted.
 * @param project Makes an inner Observable of each value.
 * @param concurrency How many of them run at a time.
 */
export function mergeMapLazily<T, R>(
  values: Iterable<T>,
  project: (value: T) => Observable<R>,
  concurrency: number,
): Observable<R> {
  return new Observable((subscriber) => {
    const iterator = values[Symbol.iterator]();
    let active = 0;
    let isExhausted = false;
    let isFilling = false;
    const begin = (value: T) => {
      active++;
      subscriber.add(
        project(value).subscribe({
          next: (result) => subscriber.next(result),
          error: (error) => subscriber.error(error),
          complete: () => {
            active--;
            fill();
          },
        }),
      );
    };
    const fill = () => {
      // What completes at once leaves it to the loop that began it, so that the stack stays flat.
      if (isFilling) return;
      isFilling = true;
      try {
        while (active < concurrency && !isExhausted && !subscriber.closed) {
          const taken = iterator.next();
          if (taken.done) isExhausted = true;
          else begin(taken.value);
        }
      } catch (error) {
        subscriber.error(error);
      }
      isFilling = false;
      if (isExhausted && active === 0) subscriber.complete();
    };
    fill();
    return () => {
      if (!isExhausted) iterator.return?.();
    };
  });
}
