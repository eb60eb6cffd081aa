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
 * Like `mergeMap` with a limit on how many inner Observables run at a time, but what they emit comes
 * out in the order of the source: what comes before its turn is held back, errors too.
 *
 * @param project Makes an inner Observable of each value.
 * @param concurrency How many of them run at a time.
 */
export function mergeMapInOrder<T, R>(
  project: (value: T) => ObservableInput<R>,
  concurrency: number,
): OperatorFunction<T, R> {
  return (source$) =>
    source$.pipe(
      mergeMap((value) => {
        const held = new ReplaySubject<R>();
        const run$ = from(project(value)).pipe(
          // Not `tap(held)`, which would take the Subject's `subscribe` for a hook of its own.
          tap({
            next: (value) => held.next(value),
            error: (error) => held.error(error),
            complete: () => held.complete(),
          }),
          ignoreElements(),
          catchError(() => EMPTY),
        );
        return concat(of(held), run$);
      }, concurrency),
      concatMap((held) => held),
    );
}
