// This module is browser compatible.

import { concatenate } from "./concatenate.ts";

/** The unit of a tar archive, in bytes. */
export const TAR_BLOCK = 512;

/** Two blocks of zeros end a tar archive. */
export const TAR_END = 2 * TAR_BLOCK;

/**
 * Returns the header of a regular file in a tar archive, 512 bytes.
 *
 * The format is ustar (POSIX.1-1988), from 8 GiB on with the base-256 size of GNU tar. The code shares
 * nothing with the reader of the client, so that tests do not compare the reader with itself.
 *
 * @param name The entry's name: ASCII, 100 bytes at most.
 * @param size Its length in bytes.
 * @param mtime Its modification time in seconds since 1970.
 */
export function tarHeader(name: string, size: number, mtime: number): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(TAR_BLOCK);
  const put = (offset: number, text: string) => header.set(new TextEncoder().encode(text), offset);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0");
  put(0, name);
  put(100, octal(0o644, 7));
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  if (size < 8 ** 11) put(124, octal(size, 11));
  else {
    header[124] = 0x80;
    new DataView(header.buffer).setBigUint64(128, BigInt(size));
  }
  put(136, octal(mtime, 11));
  put(148, " ".repeat(8)); // The checksum counts its own field as spaces.
  put(156, "0");
  put(257, "ustar\x0000");
  put(148, octal(header.reduce((sum, byte) => sum + byte, 0), 6) + "\x00 ");
  return header;
}

/** Returns a regular file in a tar archive: its header, its bytes, and the padding to whole blocks. */
export function tarEntry(
  name: string,
  bytes: Uint8Array,
  mtime: number,
): Uint8Array<ArrayBuffer> {
  const padding = new Uint8Array(ceilTo(TAR_BLOCK, bytes.length) - bytes.length);
  return concatenate([tarHeader(name, bytes.length, mtime), bytes, padding]);
}

/** Rounds `value` up to a multiple of `unit`. */
export function ceilTo(unit: number, value: number): number {
  return Math.ceil(value / unit) * unit;
}
