import {
  catchError,
  concat,
  concatMap,
  EMPTY,
  from,
  ignoreElements,
  mergeMap,
  type ObservableInput,
  of,
  type OperatorFunction,
  ReplaySubject,
  tap,
} from "rxjs";

/**
 * Subscribes to several inner Observables concurrently, like `mergeMap`, and emits their values in the
 * order of the source. Values and errors are buffered until all earlier inner Observables have completed.
 *
 * @param project Makes an inner Observable of each value.
 * @param concurrency How many inner Observables are subscribed to concurrently.
 */
export function mergeMapInOrder<T, R>(
  project: (value: T) => ObservableInput<R>,
  concurrency: number,
): OperatorFunction<T, R> {
  return (source$) =>
    source$.pipe(
      mergeMap((value) => {
        const buffer = new ReplaySubject<R>();
        const run$ = from(project(value)).pipe(
          // `tap(buffer)` would call the Subject's own `subscribe` as tap's hook of that name.
          tap({
            next: (value) => buffer.next(value),
            error: (error) => buffer.error(error),
            complete: () => buffer.complete(),
          }),
          ignoreElements(),
          catchError(() => EMPTY),
        );
        return concat(of(buffer), run$);
      }, concurrency),
      concatMap((buffer) => buffer),
    );
}
