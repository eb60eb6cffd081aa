import { HpcaiError } from "../errors.ts";

/**
 * What becomes of a chunk: `borrowed`, where nobody looks at it any more once its write is done, or
 * `kept`.
 */
export type ChunkUse = "borrowed" | "kept";

/** Where an archive's bytes go. */
export interface ArchiveSink {
  /** Takes the bytes, in order; is closed at the end, and aborted if the transfer fails. */
  readonly writable: WritableStream<Uint8Array>;
  /** What it does with a chunk; default that it hands it on. */
  readonly chunks?: ChunkUse | undefined;
  /**
   * Drops what was written, so that the bytes can be written again from the first one. Missing where
   * that cannot be done.
   */
  readonly restart?: () => Promise<void> | void;
  /** Reads what was written. Missing where that cannot be done. */
  readonly received?: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** A sink that keeps the bytes. */
export interface MemorySink extends ArchiveSink {
  /** Gives all that was written, as one array, and lets go of it. */
  takeBody(): Uint8Array<ArrayBuffer>;
}

/** Makes a sink that keeps the bytes. */
export function memorySink(): MemorySink {
  let chunks: Uint8Array[] = [];
  let byteLength = 0;
  const restart = () => {
    chunks = [];
    byteLength = 0;
  };
  return {
    chunks: "kept",
    writable: new WritableStream({
      write(chunk) {
        chunks.push(chunk);
        byteLength += chunk.byteLength;
      },
      abort: restart,
    }),
    restart,
    received: () => chunks,
    takeBody() {
      const body = allocate(byteLength);
      let end = byteLength;
      for (let chunk = chunks.pop(); chunk !== undefined; chunk = chunks.pop()) {
        end -= chunk.byteLength;
        body.set(chunk, end);
      }
      return body;
    },
  };
}

function allocate(byteLength: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(byteLength);
  } catch (cause) {
    throw new HpcaiError(
      `An archive of ${byteLength} bytes does not fit into one array; give the download a stream, ` +
        "with the option `to`",
      { cause },
    );
  }
}
