import type { ChunkUse } from "./archive_sink.ts";

/** Reads a body chunk by chunk. */
export interface ChunkReader {
  /** Reads the next chunk. */
  read(): Promise<ReadableStreamReadResult<Uint8Array>>;
  /** Cancels the rest. */
  cancel(): Promise<void>;
}

/** Larger than what runtimes read at a time. */
const BUFFER_BYTES = 256 * 1024;

/**
 * Makes a reader of a body. The runtimes' own buffers are larger than the bytes in them, and fill the
 * memory before they are collected. So a byte stream is read into one buffer where chunks are borrowed;
 * where they are kept, each gets a copy of its own size. A chunk that the sink passes on is collected
 * soon, and stays in the runtime's buffer.
 *
 * @param body The body.
 * @param use What the sink does with the chunks.
 */
export function chunkReader(
  body: ReadableStream<Uint8Array>,
  use: ChunkUse | undefined,
): ChunkReader {
  if (use === undefined) return body.getReader();
  let reader: ReadableStreamBYOBReader;
  try {
    reader = body.getReader({ mode: "byob" });
  } catch {
    return body.getReader();
  }
  let buffer = new ArrayBuffer(BUFFER_BYTES);
  return {
    async read() {
      const next = await reader.read(new Uint8Array(buffer));
      if (next.value === undefined) return next;
      buffer = next.value.buffer;
      return use === "borrowed" || next.done ? next : { done: false, value: next.value.slice() };
    },
    cancel: () => reader.cancel(),
  };
}
