/** Reads a body chunk by chunk. */
export interface ChunkReader {
  /** Gives the next chunk, `undefined` at the end. */
  read(): Promise<Uint8Array | undefined>;
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
  const byob = isReusing ? byobReader(body) : undefined;
  if (byob !== undefined) return byob;
  const reader = body.getReader();
  return {
    read: async () => (await reader.read()).value,
    cancel: () => reader.cancel(),
  };
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
      const { done, value } = await reader.read(new Uint8Array(buffer));
      if (value !== undefined) buffer = value.buffer;
      return done ? undefined : value;
    },
    cancel: () => reader.cancel(),
  };
}
