import { defer, type Observable } from "rxjs";
import { requireOptions, show } from "../arguments.ts";
import { checkpointIds } from "../checkpoint_path.ts";
import { InvalidArgumentError } from "../errors.ts";
import type { Transport } from "../transport/transport.ts";
import type { CheckpointRef } from "../types.ts";
import { archiveFormatProbe } from "./archive_format.ts";
import { type ArchiveSink, memorySink } from "./archive_sink.ts";
import type { DownloadCompleteEvent, DownloadEvent, DownloadOptions } from "./download_event.ts";
import { toDownloadEvents } from "./progress.ts";
import { transfer$ } from "./transfer.ts";
import { transferSettings } from "./transfer_settings.ts";

/** Downloads an archive into a stream, or into memory if there is none. */
export function downloadTo$(
  transport: Transport,
  checkpoint: CheckpointRef,
  options: DownloadOptions,
): Observable<DownloadEvent> {
  return defer(() => {
    requireOptions("options", options);
    const ids = checkpointIds(checkpoint);
    const { progressIntervalMs, ...transferOptions } = transferSettings(options);
    const { to } = options;
    if (to !== undefined) requireUnlocked(to);
    const memory = memorySink();
    const sink: ArchiveSink = to === undefined ? memory : { writable: to, chunks: "kept" };
    const format = archiveFormatProbe();
    return transfer$(transport, ids, sink, { ...transferOptions, observe: format.observe }).pipe(
      toDownloadEvents<DownloadCompleteEvent>(progressIntervalMs, ({ loaded }) => ({
        type: "complete",
        loaded,
        body: to === undefined ? memory.takeBody() : undefined,
        format: format.current(),
      })),
    );
  });
}

function requireUnlocked(to: unknown): void {
  // By its members, since a stream of another realm or a polyfill is as good.
  const fault = typeof to !== "object" || to === null || !("getWriter" in to && "locked" in to)
    ? `must be a WritableStream, got ${show(to)}`
    : to.locked
    ? "must be a WritableStream that is not locked"
    : undefined;
  if (fault !== undefined) throw new InvalidArgumentError("to", fault);
}
