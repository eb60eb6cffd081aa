// This module is browser compatible.

import { isGzip } from "./decompress.ts";
import type { ArchiveFormat } from "./download_event.ts";
import { TAR_BLOCK_BYTES, tarScanner } from "./tar_blocks.ts";

/** Tells what the bytes of an archive are, from its first ones. */
export interface ArchiveFormatProbe {
  /** Looks at a chunk that begins at a byte of the archive. Bytes may come again. */
  readonly observe: (chunk: Uint8Array, offset: number) => void;
  /** What the bytes are that it has seen. */
  readonly current: () => ArchiveFormat;
}

/** Makes a probe. */
export function archiveFormatProbe(): ArchiveFormatProbe {
  const first = new Uint8Array(TAR_BLOCK_BYTES);
  let length = 0;
  return {
    observe(chunk, offset) {
      if (offset >= first.byteLength) return;
      const taken = chunk.subarray(0, first.byteLength - offset);
      first.set(taken, offset);
      length = offset + taken.byteLength;
    },
    current() {
      if (isGzip(first.subarray(0, length))) return "tar.gz";
      return length === first.byteLength && isTarHeader(first) ? "tar" : "unknown";
    },
  };
}

function isTarHeader(block: Uint8Array): boolean {
  try {
    tarScanner().write(block);
    // Zeros are the end of a tar, and the beginning of no archive that anything writes.
    return block[0] !== 0;
  } catch {
    return false;
  }
}
