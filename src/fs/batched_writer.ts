import type { FileHandle } from "node:fs/promises";
import { writeBytes } from "./regular_file.ts";

/**
 * How many bytes are written at a time. In Deno 2.9 a write of 64 KiB costs more than twice as much per
 * byte, and `writev` costs more than that.
 */
const BATCH_BYTES = 1024 ** 2;

/** Writes to an open file in batches: one is filled while the previous one is written. */
export interface BatchedWriter {
  /** Returns how many bytes have been written, without those that wait in a batch. */
  length(): number;
  /** Appends bytes, whose buffer may be reused once it resolves. Rejects if an earlier batch failed. */
  append(bytes: Uint8Array): Promise<void>;
  /** Begins to write the waiting bytes, once the previous batch is written. */
  beginBatch(): Promise<void>;
  /** Resolves when no write is in flight. Rejects if the last one failed. */
  waitForWrites(): Promise<void>;
  /** Writes all waiting bytes. */
  flush(): Promise<void>;
}

/**
 * Makes a writer.
 *
 * @param start How many bytes of the file to keep; others are written after them.
 * @param beforeWrite Called before each write, which waits for it.
 */
export function batchedWriter(
  file: FileHandle,
  start = 0,
  beforeWrite: () => Promise<void> = () => Promise.resolve(),
): BatchedWriter {
  let length = start;
  let batch = new Uint8Array(BATCH_BYTES);
  let previousBatch = new Uint8Array(BATCH_BYTES);
  let batchLength = 0;
  let lastWrite: Promise<void> = Promise.resolve();

  const write = async (bytes: Uint8Array): Promise<void> => {
    await beforeWrite();
    await writeBytes(file, bytes, length);
    length += bytes.byteLength;
  };
  const beginBatch = async (): Promise<void> => {
    await lastWrite;
    [batch, previousBatch] = [previousBatch, batch];
    lastWrite = write(previousBatch.subarray(0, batchLength));
    batchLength = 0;
    lastWrite.catch(() => {}); // The next call that awaits it rejects.
  };
  return {
    length: () => length,
    async append(bytes) {
      for (let from = 0; from < bytes.byteLength;) {
        const chunk = bytes.subarray(from, from + BATCH_BYTES - batchLength);
        batch.set(chunk, batchLength);
        batchLength += chunk.byteLength;
        from += chunk.byteLength;
        if (batchLength === BATCH_BYTES) await beginBatch();
      }
    },
    beginBatch,
    waitForWrites: () => lastWrite,
    async flush() {
      await beginBatch();
      await lastWrite;
    },
  };
}
