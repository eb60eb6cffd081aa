// This module is browser compatible.

import { concat } from "./concat.ts";
import {
  type ByteTransform,
  canBecomeGzip,
  gunzip,
  gzipError,
  isGzip,
  isTruncation,
} from "./decompress.ts";
import { notTarError, tarScanner } from "./tar_scanner.ts";

/** Detects whether bytes reach the end of an archive. */
export interface ArchiveEndDetector {
  /**
   * Takes the next bytes, which may be reused once it resolves. Rejects with an
   * {@linkcode InvalidArchiveError} as soon as they cannot be those of an archive.
   */
  write(chunk: Uint8Array): Promise<void>;
  /**
   * Takes the end of the bytes. Resolves to whether the archive is complete: the end of its tar was
   * reached, and the end of its gzip, with the right checksum and length. Rejects with an
   * {@linkcode InvalidArchiveError} if the bytes are not those of an archive.
   */
  close(): Promise<boolean>;
  /** Releases its resources. Never fails. */
  abort(): void;
}

/**
 * Makes a detector for a `.tar.gz`, or for a tar that is not compressed or is decompressed already; the
 * first bytes decide which it is. It neither interprets nor keeps the entries.
 *
 * @param makeGunzip Makes the stream that decompresses.
 */
export function archiveEndDetector(makeGunzip: () => ByteTransform = gunzip): ArchiveEndDetector {
  let firstBytes = new Uint8Array(0);
  let detector: ArchiveEndDetector | undefined;

  const detectorFor = (bytes: Uint8Array): ArchiveEndDetector =>
    detector ??= isGzip(bytes) ? gzipEndDetector(makeGunzip()) : tarEndDetector(bytes);

  return {
    async write(chunk) {
      if (detector !== undefined) return await detector.write(chunk);
      const bytes = concat(firstBytes, chunk);
      if (canBecomeGzip(bytes)) firstBytes = bytes.slice();
      else await detectorFor(bytes).write(bytes);
    },
    async close() {
      if (detector === undefined && canBecomeGzip(firstBytes)) return false;
      return await detectorFor(firstBytes).close();
    },
    abort() {
      detector?.abort();
    },
  };
}

function tarEndDetector([first]: Uint8Array): ArchiveEndDetector {
  // A tar without an entry is all zeros, like the data of a broken disk or proxy.
  if (first === 0) throw notTarError();
  const scanner = tarScanner();
  return {
    write: async (chunk) => void await scanner.write(chunk),
    close: async () => await scanner.close(),
    abort() {},
  };
}

function gzipEndDetector({ readable, writable }: ByteTransform): ArchiveEndDetector {
  const scanner = tarScanner();
  const reader = readable.getReader();
  const writer = writable.getWriter();
  let settleWrite: (error?: unknown) => void = () => {};

  const release = (error?: unknown) => {
    writer.abort(error).catch(() => {});
    reader.cancel().catch(() => {});
    // A decompressor whose output is no longer read never settles the write in flight.
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
      // If the close fails, the reading fails too.
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
