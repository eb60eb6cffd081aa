import type { FileHandle } from "node:fs/promises";
import { writeBytes } from "./regular_file.ts";

/**
 * As much goes to the disk at a time: in Deno 2.9 a write of 64 KiB costs more than twice as much a
 * byte, and `writev` more than that.
 */
const BATCH_BYTES = 1024 ** 2;

/** Writes to an open file in batches: one is filled while the one before is written. */
export interface BatchedWriter {
  /** How many bytes the file has, without those that wait in a batch. */
  length(): number;
  /** Takes bytes, which may be used again once it resolves. Rejects if an earlier batch failed. */
  append(bytes: Uint8Array): Promise<void>;
  /** Begins to write what waits, once the batch before is written. */
  beginBatch(): Promise<void>;
  /** Resolves when the batches that have begun are written. */
  settled(): Promise<void>;
  /** Writes all that waits. */
  flush(): Promise<void>;
}

/**
 * Makes a writer.
 *
 * @param start How many bytes of the file to keep; the first one is written after them.
 * @param beforeWrite Called before each write, which waits for it.
 */
export function batchedWriter(
  file: FileHandle,
  start = 0,
  beforeWrite: () => Promise<void> = () => Promise.resolve(),
): BatchedWriter {
  let length = start;
  let filling = new Uint8Array(BATCH_BYTES);
  let spare = new Uint8Array(BATCH_BYTES);
  let filled = 0;
  let written: Promise<void> = Promise.resolve();

  const write = async (bytes: Uint8Array): Promise<void> => {
    await beforeWrite();
    await writeBytes(file, bytes, length);
    length += bytes.byteLength;
  };
  const beginBatch = async (): Promise<void> => {
    await written;
    const batch = filling.subarray(0, filled);
    [filling, spare] = [spare, filling];
    filled = 0;
    written = write(batch);
    written.catch(() => {}); // What awaits it next fails.
  };
  return {
    length: () => length,
    async append(bytes) {
      for (let from = 0; from < bytes.byteLength;) {
        const taken = bytes.subarray(from, from + BATCH_BYTES - filled);
        filling.set(taken, filled);
        filled += taken.byteLength;
        from += taken.byteLength;
        if (filled === BATCH_BYTES) await beginBatch();
      }
    },
    beginBatch,
    settled: () => written,
    async flush() {
      await beginBatch();
      await written;
    },
  };
}
