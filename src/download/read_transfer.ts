import { Observable } from "rxjs";
import { HpcaiError } from "../errors.ts";
import type { Transport } from "../transport/transport.ts";
import type { CheckpointIds } from "../types.ts";
import { transfer$, type TransferEvent } from "./transfer.ts";
import type { TransferOptions } from "./transfer_options.ts";

/**
 * Reads an archive while it arrives, no faster than it is read. Emits what the transfer does,
 * completes when `read` is done. Unsubscribing makes the bytes fail; `read` has to end then.
 *
 * @param read Reads the bytes to their end.
 */
export function readTransfer$(
  transport: Transport,
  checkpoint: CheckpointIds,
  options: TransferOptions,
  read: (bytes: ReadableStream<Uint8Array>) => Promise<void>,
): Observable<TransferEvent> {
  return new Observable((subscriber) => {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    let transferError: unknown;
    const transfer = transfer$(transport, checkpoint, { writable }, options).subscribe({
      next: (event) => subscriber.next(event),
      error: (error) => {
        transferError = error;
        // It ends `read`, which may have to clean up before anyone hears of it. Where the transfer has
        // begun it has done so itself, and still holds the lock.
        writable.abort(error).catch(() => {});
      },
    });
    read(readable).then(
      () => subscriber.complete(),
      // Of the two the transfer's own errors are the cause; that of its sink is but an echo of `read`'s.
      (error) => subscriber.error(transferError instanceof HpcaiError ? transferError : error),
    );
    return () => transfer.unsubscribe();
  });
}
