import { defer, type Observable } from "rxjs";
import { requireOptions, show } from "../arguments.ts";
import { checkpointIds } from "../checkpoint_path.ts";
import { InvalidArgumentError } from "../errors.ts";
import type { Transport } from "../transport/transport.ts";
import type { CheckpointIds, CheckpointRef } from "../types.ts";
import { archiveFormatProbe } from "./archive_format.ts";
import { memorySink } from "./archive_sink.ts";
import type { DownloadCompleteEvent, DownloadEvent, DownloadOptions } from "./download_event.ts";
import { type LockedSink, lockSink$ } from "./lock_sink.ts";
import { toDownloadEvents } from "./progress.ts";
import { transfer$ } from "./transfer.ts";
import { type TransferSettings, transferSettings } from "./transfer_settings.ts";

/**
 * Downloads an archive into a stream, or into memory if there is none.
 *
 * @param sink The option `to`, locked; `undefined` where `to` is missing or cannot be locked.
 */
export function downloadTo$(
  transport: Transport,
  checkpoint: CheckpointRef,
  options: DownloadOptions,
  sink: LockedSink | undefined,
): Observable<DownloadEvent> {
  return defer(() => {
    const [ids, settings] = validate(transport, checkpoint, options, sink);
    const events$ = (sink: LockedSink, takeBody: () => DownloadCompleteEvent["body"]) => {
      const format = archiveFormatProbe();
      return transport.limitTransfers(
        transfer$(transport, ids, sink, { ...settings, observe: format.observe }),
      ).pipe(
        toDownloadEvents<DownloadCompleteEvent>(settings.progressIntervalMs, ({ loaded }) => ({
          type: "complete",
          loaded,
          body: takeBody(),
          format: format.current(),
        })),
      );
    };
    if (sink !== undefined) return events$(sink, () => undefined);
    const memory = memorySink();
    return lockSink$(memory, (sink) => events$(sink, memory.takeBody));
  });
}

function validate(
  transport: Transport,
  checkpoint: CheckpointRef,
  options: DownloadOptions,
  sink: LockedSink | undefined,
): [CheckpointIds, TransferSettings] {
  try {
    transport.retryOptions(); // Throws if the options of the client are invalid.
    requireOptions("options", options);
    if (sink === undefined && options.to !== undefined) throw invalidStream(options.to);
    return [checkpointIds(checkpoint), transferSettings(options)];
  } catch (error) {
    // Released, the stream is not aborted: an invalid argument leaves it as it was.
    sink?.writer.releaseLock();
    throw error;
  }
}

function invalidStream(to: unknown): InvalidArgumentError {
  // By its members, since a stream of another realm or a polyfill is as good.
  const isLocked = typeof to === "object" && to !== null && "getWriter" in to && "locked" in to;
  return new InvalidArgumentError(
    "to",
    isLocked
      ? "must be a WritableStream that is not locked"
      : `must be a WritableStream, got ${show(to)}`,
  );
}
