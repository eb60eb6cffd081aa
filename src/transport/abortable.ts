import { Observable } from "rxjs";

/**
 * A cold Observable of the one value of an asynchronous function. Each subscription runs it again, and
 * unsubscribing before it is done aborts its controller. After that only the holder of the controller
 * can abort, such as the reader of a response's body.
 */
export function abortable<T>(run: (controller: AbortController) => Promise<T>): Observable<T> {
  return new Observable<T>((subscriber) => {
    const controller = new AbortController();
    let isDone = false;
    // Before the run, whose first events can make the subscriber unsubscribe.
    subscriber.add(() => {
      if (!isDone) controller.abort();
    });
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
  });
}
