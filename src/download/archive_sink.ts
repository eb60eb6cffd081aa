import { HpcaiError } from "../errors.ts";
import type { ArchivePosition } from "./archive_source.ts";

/**
 * How a sink uses a chunk: `borrowed` if it does not use the chunk after its write has resolved, `kept`
 * if it holds the chunk for long.
 */
export type ChunkUse = "borrowed" | "kept";

/** The identity of an archive: its strong entity tag and its length, where they are certain. */
export type ArchiveIdentity = Pick<ArchivePosition, "etag" | "total">;

/** The destination of the bytes of an archive. */
export interface ArchiveSink {
  /**
   * Receives which archive the next bytes belong to: before the first byte, again after each `restart`,
   * and again when a later response adds what was unknown. The transfer waits for it.
   */
  readonly begin?: ((archive: ArchiveIdentity) => Promise<void>) | undefined;
  /** Takes the bytes in order; is closed at the end, and aborted if the transfer fails. */
  readonly writable: WritableStream<Uint8Array>;
  /** How it uses a chunk. Default: it passes the chunk on. */
  readonly chunks?: ChunkUse | undefined;
  /**
   * Drops all that was written. The archive is then written from its first byte. Called when no write is
   * in flight. Missing where that is impossible.
   */
  readonly restart?: (() => Promise<void>) | undefined;
  /**
   * Reads all that was written, from the first byte. A transfer that resumes an archive of uncertain
   * length calls it to detect the archive's end, unless it has received these bytes itself. Missing where
   * that is impossible; the length that the server sends decides then.
   */
  readonly readBack?: (() => AsyncIterable<Uint8Array> | Iterable<Uint8Array>) | undefined;
}

/** A sink that keeps the bytes in memory. */
export interface MemorySink extends ArchiveSink {
  /** Returns all that was written as one array, and drops it. */
  takeBody(): Uint8Array<ArrayBuffer>;
}

/** Makes a sink that keeps the bytes in memory. */
export function memorySink(): MemorySink {
  let chunks: Uint8Array[] = [];
  let byteLength = 0;
  const drop = () => {
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
      abort: drop,
    }),
    restart: () => Promise.resolve(drop()),
    readBack: () => chunks,
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
    throw new HpcaiError(`Cannot hold an archive of ${byteLength} bytes in one array`, {
      advice: "Pass a stream as the option to of download$, or save to a file with saveArchive$.",
      cause,
    });
  }
}
