import { Observable } from "rxjs";
import type { Transport } from "../transport/transport.ts";
import type { CheckpointIds } from "../types.ts";
import { SinkError } from "./interruption.ts";
import { lockSink$ } from "./lock_sink.ts";
import { transfer$, type TransferUpdate } from "./transfer.ts";
import type { TransferSettings } from "./transfer_settings.ts";

/** How to read an archive as it arrives. */
export interface ReadTransferSettings extends TransferSettings {
  /** Whether the archive may be read again from its first byte. */
  readonly canRestart: boolean;
}

/** One reading of the archive, from its first byte on. */
interface Reading {
  readonly writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly done: Promise<void>;
}

/**
 * Reads an archive as it arrives, with the backpressure of the reader. Emits the updates of the transfer,
 * and completes when `read` has resolved. Unsubscribing and a restart make the stream of bytes fail, and
 * `read` has to reject then.
 *
 * @param read Reads the bytes to their end. Called again after a restart.
 */
export function readTransfer$(
  transport: Transport,
  checkpoint: CheckpointIds,
  { canRestart, ...settings }: ReadTransferSettings,
  read: (bytes: ReadableStream<Uint8Array>) => Promise<void>,
): Observable<TransferUpdate> {
  return new Observable((subscriber) => {
    let transferError: unknown;
    /** Whether the transfer has ended, so that no reading may begin. */
    let hasEnded = false;
    let failSink: (reason: unknown) => void = () => {};
    let current: Reading | undefined;

    const begin = (): void => {
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
          // The transfer's error is the cause, unless it only repeats the error of the reading.
          const isEcho = transferError === undefined || transferError instanceof SinkError;
          subscriber.error(isEcho ? error : transferError);
        },
      );
    };
    const end = async (reason: unknown): Promise<void> => {
      await current?.writer.abort(reason).catch(() => {});
    };
    const restart = async () => {
      if (hasEnded) return;
      const previousReading = current;
      current = undefined;
      await previousReading?.writer.abort(new DOMException("The archive restarts", "AbortError"));
      await previousReading?.done.catch(() => {});
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
    const transfer = lockSink$(
      { writable, restart: canRestart ? restart : undefined },
      (sink) => transport.limitTransfers(transfer$(transport, checkpoint, sink, settings)),
    ).subscribe({
      next: (update) => subscriber.next(update),
      error: (error) => {
        transferError = error;
        hasEnded = true;
        // Makes `read` reject, which may have to clean up before the error is passed on.
        end(error);
      },
    });
    return () => {
      hasEnded = true;
      transfer.unsubscribe();
    };
  });
}
