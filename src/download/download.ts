import { concatMap, defer, type Observable, tap } from "rxjs";
import type { Transport } from "../transport/transport.ts";
import type { CheckpointRef } from "../types.ts";
import type { DownloadEvent, DownloadOptions } from "./download_event.ts";
import { downloadCancelled } from "./transfer_options.ts";

/** Downloads an archive into a stream or into memory; what `RestClient.download$` promises. */
export function download$(
  transport: Transport,
  checkpoint: CheckpointRef,
  options: DownloadOptions = {},
): Observable<DownloadEvent> {
  return defer(() => {
    // Locked until the code is there, which checks the arguments: nothing else is to write to it. Where
    // it is no stream, there is nothing to lock; and null is not excluded at runtime.
    const to = options?.to;
    const writer = to?.locked === false ? to.getWriter() : undefined;
    const release = () => writer?.releaseLock();
    const abort = (reason: unknown) => {
      writer?.abort(reason).catch(() => {});
      release();
    };
    return defer(importDownloadTo).pipe(
      tap({ next: release, error: abort, unsubscribe: () => abort(downloadCancelled()) }),
      concatMap(({ downloadTo$ }) => downloadTo$(transport, checkpoint, options)),
    );
  });
}

/** Loaded by the first download, since a page that shows listings need not wait for it. */
const importDownloadTo = () => import("./download_to.ts");
