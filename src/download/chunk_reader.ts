import type { ChunkUse } from "./archive_sink.ts";

/** Reads a body chunk by chunk. */
export interface ChunkReader {
  /** Reads the next chunk. */
  read(): Promise<ReadableStreamReadResult<Uint8Array>>;
  /** Cancels the rest. */
  cancel(): Promise<void>;
}

/** Larger than the chunks of the runtimes. */
const BUFFER_BYTES = 256 * 1024;

/**
 * Makes a reader of a body. The runtimes' own buffers are larger than the bytes in them, and fill the
 * memory before they are collected. Therefore
 * - borrowed chunks are read into one buffer;
 * - kept chunks are copied, each into a buffer of its own size;
 * - chunks that the sink passes on stay in the runtime's buffer, which is collected soon.
 *
 * @param body The body.
 * @param use How the sink uses a chunk.
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
