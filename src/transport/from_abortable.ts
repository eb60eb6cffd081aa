import { Observable } from "rxjs";

/**
 * Makes a cold Observable that emits the value of an asynchronous function. Each subscription runs the
 * function once. Unsubscribing aborts the controller, unless the function has returned: a response's
 * body may still be read then, and its reader can abort.
 */
export function fromAbortable<T>(run: (controller: AbortController) => Promise<T>): Observable<T> {
  return new Observable<T>((subscriber) => {
    const controller = new AbortController();
    let isDone = false;
    // Added first, since the subscriber may unsubscribe at the first events of the run.
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
