import { Observable } from "rxjs";

/**
 * A cold Observable of the one value of an asynchronous function. Each subscription runs it again;
 * unsubscribing before it is done aborts its controller. Once it is done, only who was given the
 * controller can abort: a body that it handed out lives on until its reader does so.
 */
export function abortable<T>(run: (controller: AbortController) => Promise<T>): Observable<T> {
  return new Observable<T>((subscriber) => {
    // Who was told that it begins may have unsubscribed before it has.
    if (subscriber.closed) return;
    const controller = new AbortController();
    let isDone = false;
    run(controller).then(
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
