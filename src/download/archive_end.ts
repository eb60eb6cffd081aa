// This module is browser compatible.

import { concat } from "./concat.ts";
import {
  type ByteTransform,
  couldBecomeGzip,
  gunzip,
  gzipError,
  isGzip,
  isTruncation,
} from "./decompress.ts";
import { notTarError, tarScanner } from "./tar_blocks.ts";

/** Follows the bytes of an archive to find out whether they reach its end. */
export interface ArchiveEnd {
  /**
   * Takes the next bytes, which may be used again once it resolves. Rejects with an
   * {@linkcode InvalidArchiveError} as soon as they cannot be those of an archive.
   */
  write(chunk: Uint8Array): Promise<void>;
  /**
   * Takes the end of the bytes. Resolves to whether the archive is complete: the end of its tar was
   * reached, and the end of its gzip, with the right checksum and length. Rejects with an
   * {@linkcode InvalidArchiveError} if the bytes are not those of an archive.
   */
  close(): Promise<boolean>;
  /** Releases what it holds. Never fails. */
  abort(): void;
}

/**
 * Follows the bytes of a `.tar.gz`, or of a tar that is not compressed or is decompressed already; the
 * first bytes decide which it is. It ignores what the entries are, and keeps nothing of them.
 *
 * @param makeGunzip Makes the stream that decompresses.
 */
export function archiveEnd(makeGunzip: () => ByteTransform = gunzip): ArchiveEnd {
  let first = new Uint8Array(0);
  let end: ArchiveEnd | undefined;

  const endFor = (bytes: Uint8Array): ArchiveEnd =>
    end ??= isGzip(bytes) ? gzipEnd(makeGunzip()) : tarEnd(bytes);

  return {
    async write(chunk) {
      if (end !== undefined) return await end.write(chunk);
      const bytes = concat(first, chunk);
      if (couldBecomeGzip(bytes)) first = bytes.slice();
      else await endFor(bytes).write(bytes);
    },
    async close() {
      if (end === undefined && couldBecomeGzip(first)) return false;
      return await endFor(first).close();
    },
    abort() {
      end?.abort();
    },
  };
}

function tarEnd([first]: Uint8Array): ArchiveEnd {
  // A tar without an entry is all zeros, and so is what a broken disk or proxy sends.
  if (first === 0) throw notTarError();
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
    // A decompressor whose output is no longer read leaves the write in flight pending.
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
      // An error of the close fails the reading too.
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
