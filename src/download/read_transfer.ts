import { Observable } from "rxjs";
import type { Transport } from "../transport/transport.ts";
import type { CheckpointIds } from "../types.ts";
import { SinkError, transfer$, type TransferEvent } from "./transfer.ts";
import type { TransferOptions } from "./transfer_options.ts";

/** How to read an archive while it arrives. */
export interface ReadTransferOptions extends TransferOptions {
  /** Whether what was read can be dropped, and read again from the first byte. */
  readonly canRestart: boolean;
}

/** One reading of the archive, from its first byte on. */
interface Reading {
  readonly writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly done: Promise<void>;
}

/**
 * Reads an archive while it arrives, with the backpressure of what reads it. Emits what the transfer
 * does, completes when `read` is done. Unsubscribing and a restart make the bytes fail; `read` has to
 * end then.
 *
 * @param read Reads the bytes to their end. Called again after a restart.
 */
export function readTransfer$(
  transport: Transport,
  checkpoint: CheckpointIds,
  { canRestart, ...options }: ReadTransferOptions,
  read: (bytes: ReadableStream<Uint8Array>) => Promise<void>,
): Observable<TransferEvent> {
  return new Observable((subscriber) => {
    let transferError: unknown;
    /** Whether no more bytes come, so that nothing is to be read any more. */
    let hasEnded = false;
    let failSink: (reason: unknown) => void = () => {};
    let current: Reading | undefined;

    const begin = (): Reading => {
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
      const reading: Reading = { writer: writable.getWriter(), done: read(readable) };
      current = reading;
      reading.writer.closed.catch((reason) => {
        if (current === reading) failSink(reason);
      });
      reading.done.then(
        () => {
          if (current === reading) subscriber.complete();
        },
        (error) => {
          if (current !== reading) return;
          // Of the two the transfer's error is the cause, unless it is that of its sink: an echo.
          const isEcho = transferError === undefined || transferError instanceof SinkError;
          subscriber.error(isEcho ? error : transferError);
        },
      );
      return reading;
    };
    const end = async (reason: unknown): Promise<void> => {
      await current?.writer.abort(reason).catch(() => {});
    };
    const restart = async () => {
      if (hasEnded) return;
      const ended = current;
      current = undefined;
      await ended?.writer.abort(new DOMException("The archive restarts", "AbortError"));
      await ended?.done.catch(() => {});
      if (!hasEnded) begin();
      else if (transferError !== undefined) subscriber.error(transferError);
    };

    begin();
    const writable = new WritableStream<Uint8Array>({
      start: (controller) => void (failSink = (reason) => controller.error(reason)),
      write: (chunk) => current?.writer.write(chunk),
      close: () => current?.writer.close(),
      abort: end,
    });
    const sink = canRestart ? { writable, restart } : { writable };
    const transfer = transfer$(transport, checkpoint, sink, options).subscribe({
      next: (event) => subscriber.next(event),
      error: (error) => {
        transferError = error;
        hasEnded = true;
        // It ends `read`, which may have to clean up before the error is passed on.
        end(error);
      },
    });
    return () => {
      hasEnded = true;
      transfer.unsubscribe();
    };
  });
}
