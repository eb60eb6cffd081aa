import type { ChunkUse } from "./archive_sink.ts";

/** Reads a body chunk by chunk. */
export interface ChunkReader {
  /** Gives the next chunk. */
  read(): Promise<ReadableStreamReadResult<Uint8Array>>;
  /** Gives up the rest. */
  cancel(): Promise<void>;
}

/** Larger than what runtimes read at a time. */
const BUFFER_BYTES = 256 * 1024;

/**
 * Makes a reader of a body. The runtimes' own buffers are larger than what comes in them, and as many
 * as fill memory wait for the garbage collector. So a byte stream is read into one buffer where chunks
 * are borrowed, and also where they are kept, which then get a copy each.
 *
 * @param body What to read.
 * @param use What becomes of the chunks. What is handed on is gone soon in the runtime's own buffers.
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
