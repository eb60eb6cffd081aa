import { concatMap, defer, type Observable } from "rxjs";
import { loadModule } from "../load_module.ts";
import type { Transport } from "../transport/transport.ts";
import type { CheckpointRef } from "../types.ts";
import type { DownloadEvent, DownloadOptions } from "./download_event.ts";
import { type LockedSink, lockSink$ } from "./lock_sink.ts";

/** Downloads an archive into a stream or into memory; implements `RestClient.download$`. */
export function download$(
  transport: Transport,
  checkpoint: CheckpointRef,
  options: DownloadOptions = {},
): Observable<DownloadEvent> {
  return defer(() => {
    const run = (sink?: LockedSink) =>
      defer(() => loadModule(importDownloadTo)).pipe(
        concatMap(({ downloadTo$ }) => downloadTo$(transport, checkpoint, options, sink)),
      );
    // downloadTo$ rejects any other value of `to`. Without type checks, the options may be null.
    const to = options?.to;
    const canLock = to?.locked === false && "getWriter" in to;
    return canLock ? lockSink$({ writable: to, chunks: "kept" }, run) : run();
  });
}

/** Loaded by the first download, to keep the initial download of a page small. */
const importDownloadTo = () => import("./download_to.ts");
