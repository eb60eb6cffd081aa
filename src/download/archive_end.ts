// This module is browser compatible.

import {
  type ByteTransform,
  couldBecomeGzip,
  gunzip,
  gzipError,
  isGzip,
  isTruncation,
} from "./decompress.ts";
import { notTar, tarScanner } from "./tar_blocks.ts";

/** Follows the bytes of an archive to find out whether they reach its end. */
export interface ArchiveEnd {
  /**
   * Takes the next bytes, and is done with them when it resolves. Rejects with an
   * {@linkcode InvalidArchiveError} as soon as they cannot be those of an archive.
   */
  write(chunk: Uint8Array): Promise<void>;
  /**
   * No more bytes come. Resolves to whether the archive is complete: the end of its tar was reached,
   * and the end of its gzip, with the right checksum and length. Rejects with an
   * {@linkcode InvalidArchiveError} if the bytes are not those of an archive.
   */
  close(): Promise<boolean>;
  /** Releases what it holds. Never fails. */
  abort(): void;
}

/**
 * Follows the bytes of a `.tar.gz`, or of a tar that is not compressed, or no longer: the first bytes
 * tell which it is. What the entries are makes no difference, and nothing of them is kept.
 *
 * @param makeGunzip Makes the stream that decompresses.
 */
export function archiveEnd(makeGunzip: () => ByteTransform = gunzip): ArchiveEnd {
  let first = new Uint8Array(0);
  let follower: ArchiveEnd | undefined;

  const follow = (bytes: Uint8Array): ArchiveEnd =>
    follower ??= isGzip(bytes) ? gzipEnd(makeGunzip()) : tarEnd(bytes);

  return {
    async write(chunk) {
      if (follower !== undefined) return await follower.write(chunk);
      const bytes = concat(first, chunk);
      if (couldBecomeGzip(bytes)) first = bytes.slice();
      else await follow(bytes).write(bytes);
    },
    async close() {
      if (follower === undefined && couldBecomeGzip(first)) return false;
      return await follow(first).close();
    },
    abort() {
      follower?.abort();
    },
  };
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.byteLength === 0) return second;
  const both = new Uint8Array(first.byteLength + second.byteLength);
  both.set(first);
  both.set(second, first.byteLength);
  return both;
}

function tarEnd([first]: Uint8Array): ArchiveEnd {
  // A tar without an entry is all zeros, and so is what a broken disk or proxy sends.
  if (first === 0) throw notTar();
  const scanner = tarScanner();
  return {
    write: async (chunk) => void await scanner.write(chunk),
    close: async () => await scanner.close(),
    abort() {},
  };
}

function gzipEnd({ readable, writable }: ByteTransform): ArchiveEnd {
  const scanner = tarScanner();
  const reader = readable.getReader();
  const writer = writable.getWriter();
  let settleWrite: (error?: unknown) => void = () => {};

  const release = (error?: unknown) => {
    writer.abort(error).catch(() => {});
    reader.cancel().catch(() => {});
    // Where nothing is read any more, the decompressor leaves the write in flight pending.
    settleWrite(error);
  };
  const readToEnd = async (): Promise<void> => {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      scanner.write(next.value);
    }
  };
  const reading = readToEnd();
  reading.catch(release);

  return {
    async write(chunk) {
      try {
        await new Promise<void>((resolve, reject) => {
          settleWrite = (error) => error === undefined ? resolve() : reject(error);
          writer.write(chunk).then(resolve, reject);
        });
      } catch (error) {
        throw gzipError(error);
      }
    },
    async close() {
      // What fails here fails the reading too.
      writer.close().catch(() => {});
      try {
        await reading;
      } catch (error) {
        if (isTruncation(error)) return false;
        throw gzipError(error);
      }
      return scanner.close();
    },
    abort: release,
  };
}
