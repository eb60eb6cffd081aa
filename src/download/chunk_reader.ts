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
 * Makes a reader of a body.
 *
 * @param body What to read. Where it is a byte stream, it is read into one buffer: the runtimes' own
 * are larger than what comes, and as many of them as fill memory wait for the garbage collector.
 * @param isReusing Whether a chunk is done with when the next one is read. Else it gets a copy.
 */
export function chunkReader(body: ReadableStream<Uint8Array>, isReusing: boolean): ChunkReader {
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
      return isReusing || next.done ? next : { done: false, value: next.value.slice() };
    },
    cancel: () => reader.cancel(),
  };
}
