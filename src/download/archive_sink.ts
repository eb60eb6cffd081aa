import { HpcaiError } from "../errors.ts";
import type { ArchivePosition } from "./archive_source.ts";

/**
 * What a sink does with a chunk: `borrowed` where it does not use the chunk after its write has
 * resolved, `kept` where it holds the chunk for long.
 */
export type ChunkUse = "borrowed" | "kept";

/** Which archive bytes belong to: its strong entity tag and its length, where they are certain. */
export type ArchiveIdentity = Pick<ArchivePosition, "etag" | "total">;

/** Where the bytes of an archive go. */
export interface ArchiveSink {
  /**
   * Receives which archive the next bytes belong to: before the first byte, again after each `restart`,
   * and again when a later response adds what was unknown. The transfer waits for it.
   */
  readonly begin?: ((archive: ArchiveIdentity) => Promise<void>) | undefined;
  /** Takes the bytes in order; is closed at the end, and aborted if the transfer fails. */
  readonly writable: WritableStream<Uint8Array>;
  /** What it does with a chunk. Default: it passes the chunk on. */
  readonly chunks?: ChunkUse | undefined;
  /**
   * Drops all that was written, so that the archive can be written from its first byte. Called when no
   * write is in flight. Missing where that is impossible.
   */
  readonly restart?: (() => Promise<void>) | undefined;
  /**
   * Reads all that was written, from the first byte. A transfer that resumes an archive of uncertain
   * length needs it, to find the archive's own end: what it followed before is in another process, or
   * ended early. Missing where that is impossible; the length that the server announces decides then.
   */
  readonly received?: (() => AsyncIterable<Uint8Array> | Iterable<Uint8Array>) | undefined;
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
    throw new HpcaiError(`Cannot hold an archive of ${byteLength} bytes in one array`, {
      advice: "Pass a stream as the option to of download$, or save to a file with saveArchive$.",
      cause,
    });
  }
}
