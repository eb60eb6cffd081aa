// This module is browser compatible.

import { defer, finalize, type Observable, tap } from "rxjs";
import type { ArchiveSink } from "./archive_sink.ts";

/** A sink whose stream is locked to a writer. */
export interface LockedSink extends ArchiveSink {
  /** The writer of the sink. Once its lock is released, the sink is neither aborted nor closed. */
  readonly writer: WritableStreamDefaultWriter<Uint8Array>;
}

/**
 * Locks a sink from the subscription to the end of an Observable. An error and an unsubscription abort
 * the sink.
 *
 * @param run Makes the Observable, which closes the sink before it completes.
 */
export function lockSink$<T>(
  sink: ArchiveSink,
  run: (sink: LockedSink) => Observable<T>,
): Observable<T> {
  return defer(() => {
    const writer = sink.writable.getWriter();
    const abort = (reason: unknown) => void writer.abort(reason).catch(() => {});
    return run({ ...sink, writer }).pipe(
      tap({
        error: abort,
        unsubscribe: () => abort(new DOMException("The download was cancelled", "AbortError")),
      }),
      finalize(() => writer.releaseLock()),
    );
  });
}
