import { defer, finalize, type Observable, switchMap, tap } from "rxjs";
import { requireMilliseconds, show } from "../arguments.ts";
import { checkpointIds } from "../checkpoint_path.ts";
import { InvalidArgumentError } from "../errors.ts";
import type { Transport } from "../transport/transport.ts";
import type { CheckpointRef } from "../types.ts";
import { openArchive$ } from "./archive_source.ts";
import type { DownloadEvent, DownloadOptions } from "./download_event.ts";
import { memorySink } from "./memory_sink.ts";
import { toDownloadEvents } from "./progress.ts";
import { transfer$ } from "./transfer.ts";

const DEFAULT_PROGRESS_INTERVAL_MS = 100;
const DEFAULT_IDLE_TIMEOUT_MS = 30_000;

/** Downloads an archive into a sink or into memory; what `RestClient.download$` promises. */
export function download$(
  transport: Transport,
  checkpoint: CheckpointRef,
  options: DownloadOptions = {},
): Observable<DownloadEvent> {
  return defer(() => {
    const ids = checkpointIds(checkpoint);
    const {
      to,
      progressIntervalMs = DEFAULT_PROGRESS_INTERVAL_MS,
      idleTimeoutMs = DEFAULT_IDLE_TIMEOUT_MS,
    } = options;
    requireMilliseconds("progressIntervalMs", progressIntervalMs, 0);
    requireMilliseconds("idleTimeoutMs", idleTimeoutMs, 1);
    if (to !== undefined) requireUnlocked(to);
    const memory = memorySink();
    const sink = (to ?? memory.writable).getWriter();
    const abortSink = (reason: unknown) => sink.abort(reason).catch(() => {});
    return openArchive$(transport, ids).pipe(
      switchMap((source) =>
        transfer$(source, sink, idleTimeoutMs).pipe(
          toDownloadEvents(
            source.total,
            progressIntervalMs,
            () => to === undefined ? memory.takeBody() : undefined,
          ),
        )
      ),
      tap({
        error: abortSink,
        unsubscribe: () => abortSink(new DOMException("The download was cancelled", "AbortError")),
      }),
      finalize(() => sink.releaseLock()),
    );
  });
}

function requireUnlocked(to: unknown): void {
  const fault = !(to instanceof WritableStream)
    ? `must be a WritableStream, but is ${show(to)}`
    : to.locked
    ? "must be a WritableStream that nobody else writes to, but it is locked"
    : undefined;
  if (fault !== undefined) throw new InvalidArgumentError("to", fault);
}
