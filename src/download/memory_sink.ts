/** A stream that keeps what is written to it. */
export interface MemorySink {
  /** Where to write. */
  readonly writable: WritableStream<Uint8Array>;
  /** Gives all that was written, as one array, and lets go of it. */
  takeBody(): Uint8Array<ArrayBuffer>;
}

/** Makes a stream that keeps what is written to it. */
export function memorySink(): MemorySink {
  let chunks: Uint8Array[] = [];
  let byteLength = 0;
  return {
    writable: new WritableStream({
      write(chunk) {
        chunks.push(chunk);
        byteLength += chunk.byteLength;
      },
      abort() {
        chunks = [];
      },
    }),
    takeBody() {
      const body = new Uint8Array(byteLength);
      let end = byteLength;
      for (let chunk = chunks.pop(); chunk !== undefined; chunk = chunks.pop()) {
        end -= chunk.byteLength;
        body.set(chunk, end);
      }
      return body;
    },
  };
}
