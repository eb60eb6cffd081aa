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
 * @param body What to read.
 * @param isReusing Whether a chunk is done with when the next one is read. Then all of them can be in
 * one buffer, where the body allows that, and none waits for the garbage collector.
 */
export function chunkReader(body: ReadableStream<Uint8Array>, isReusing: boolean): ChunkReader {
  return (isReusing ? byobReader(body) : undefined) ?? body.getReader();
}

/** `undefined` where the body is no byte stream. */
function byobReader(body: ReadableStream<Uint8Array>): ChunkReader | undefined {
  let reader: ReadableStreamBYOBReader;
  try {
    reader = body.getReader({ mode: "byob" });
  } catch {
    return undefined;
  }
  let buffer = new ArrayBuffer(BUFFER_BYTES);
  return {
    async read() {
      const next = await reader.read(new Uint8Array(buffer));
      if (next.value !== undefined) buffer = next.value.buffer;
      return next;
    },
    cancel: () => reader.cancel(),
  };
}
