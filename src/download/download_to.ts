import type { Observable } from "rxjs";
import type { Transport } from "../transport/transport.ts";
import type { CheckpointIds } from "../types.ts";
import { archiveFormatProbe } from "./archive_format.ts";
import { type ArchiveSink, memorySink } from "./archive_sink.ts";
import type { DownloadCompleteEvent, DownloadEvent } from "./download_event.ts";
import { toDownloadEvents } from "./progress.ts";
import { transfer$ } from "./transfer.ts";
import type { TransferOptions } from "./transfer_options.ts";

/** Downloads an archive into a stream, or into memory if there is none. */
export function downloadTo$(
  transport: Transport,
  checkpoint: CheckpointIds,
  to: WritableStream<Uint8Array> | undefined,
  progressIntervalMs: number,
  options: TransferOptions,
): Observable<DownloadEvent> {
  const memory = memorySink();
  const sink: ArchiveSink = to === undefined ? memory : { writable: to, chunks: "kept" };
  const format = archiveFormatProbe();
  return transfer$(transport, checkpoint, sink, { ...options, observe: format.observe }).pipe(
    toDownloadEvents<DownloadCompleteEvent>(progressIntervalMs, ({ loaded }) => ({
      type: "complete",
      loaded,
      body: to === undefined ? memory.takeBody() : undefined,
      format: format.current(),
    })),
  );
}
