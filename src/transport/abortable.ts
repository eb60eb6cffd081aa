import { Observable } from "rxjs";

/**
 * A cold Observable of the one value of an asynchronous function. Each subscription runs it anew;
 * unsubscribing before it is done aborts its signal. Once it is done the signal stays quiet, so
 * that a body it handed out lives on.
 */
export function abortable<T>(run: (signal: AbortSignal) => Promise<T>): Observable<T> {
  return new Observable<T>((subscriber) => {
    // Who was told that it begins may have unsubscribed before it has.
    if (subscriber.closed) return;
    const controller = new AbortController();
    let isDone = false;
    run(controller.signal).then(
      (value) => {
        isDone = true;
        subscriber.next(value);
        subscriber.complete();
      },
      (error) => {
        isDone = true;
        subscriber.error(error);
      },
    );
    return () => {
      if (!isDone) controller.abort();
    };
  });
}
