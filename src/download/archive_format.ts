// This module is browser compatible.

import { isGzip } from "./decompress.ts";
import type { ArchiveFormat } from "./download_event.ts";
import { TAR_BLOCK_BYTES, tarScanner } from "./tar_scanner.ts";

/** Detects the format of an archive by its first bytes. */
export interface ArchiveFormatProbe {
  /** Takes a chunk and its position in the archive. After a restart the first bytes are repeated. */
  readonly observe: (chunk: Uint8Array, offset: number) => void;
  /** Returns the format, by the bytes so far. */
  readonly format: () => ArchiveFormat;
}

/** Makes a probe. */
export function archiveFormatProbe(): ArchiveFormatProbe {
  const firstBytes = new Uint8Array(TAR_BLOCK_BYTES);
  let length = 0;
  return {
    observe(chunk, offset) {
      if (offset >= firstBytes.byteLength) return;
      const bytes = chunk.subarray(0, firstBytes.byteLength - offset);
      firstBytes.set(bytes, offset);
      length = offset + bytes.byteLength;
    },
    format() {
      if (isGzip(firstBytes.subarray(0, length))) return "tar.gz";
      return length === firstBytes.byteLength && isTarHeader(firstBytes) ? "tar" : "unknown";
    },
  };
}

function isTarHeader(block: Uint8Array): boolean {
  try {
    tarScanner().write(block);
    // A block of zeros is the end of a tar; no program writes an archive that begins with one.
    return block[0] !== 0;
  } catch {
    return false;
  }
}
