// This module is browser compatible.

/** Tar counts in blocks of this many bytes. */
export const TAR_BLOCK = 512;

/**
 * The 512 bytes that stand before a regular file in a tar archive: ustar (POSIX.1-1988), and from
 * 8 GiB on GNU tar's base-256 size. Written by hand, so that the client's tar reader is not tested
 * against its own library.
 *
 * @param name The member's name: ASCII, 100 bytes at most.
 * @param size Its length in bytes.
 * @param mtime Its time of modification in seconds since 1970.
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
