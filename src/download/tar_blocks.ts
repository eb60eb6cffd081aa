// This module is browser compatible.

import { show } from "../arguments.ts";
import { InvalidArchiveError, UnsafeArchiveError } from "../errors.ts";

/** Tar counts in blocks of this many bytes (POSIX.1-2001, pax, "ustar Interchange Format"). */
export const TAR_BLOCK_BYTES = 512;

/** The most bytes that extended headers may have; tens of kilobytes are many. */
const MAX_EXTENDED_HEADER_BYTES = 2 ** 20;

/** Where a header's fields are, as [offset, length]. */
const NAME = [0, 100] as const;
const SIZE = [124, 12] as const;
const CHECKSUM = [148, 8] as const;
const TYPE_FLAG = 156;
/** Mode, owner, group and size: octal, or GNU's base 256, whose first bit is set. */
const NUMBERS = [[100, 8], [108, 8], [116, 8], SIZE] as const;
const OCTAL: Uint8Array = new TextEncoder().encode("01234567 \0");
/** Whether more of a GNU sparse file's map follows: its header, and each block of its map. */
const SPARSE_IS_EXTENDED = 482;
const SPARSE_MAP_IS_EXTENDED = 504;

/** A file, also in the old form and the contiguous one, which are read alike. */
const FILES = "0\x007";
/** Links, devices, directories, FIFOs: no bytes follow, whatever `size` says. */
const BODYLESS = "123456";
/** Extended headers: of one member, of all, and GNU's long names. */
const EXTENDED = "xgLK";
/** A sparse file in GNU's form. */
const SPARSE = "S";

/** What the scanner tells of the header of an entry. */
export interface TarHeader {
  /** The name in the header, which an extended header before it may replace. */
  readonly name: string;
  /** The type flag. */
  readonly flag: string;
}

/** Follows the bytes of a tar archive, header by header. */
export interface TarScanner {
  /**
   * Takes the next bytes.
   *
   * @returns How many of them belong to the archive: all, until its end.
   * @throws {InvalidArchiveError} if they are not those of an archive.
   */
  write(chunk: Uint8Array): number;
  /**
   * No more bytes come.
   *
   * @returns Whether they reached the end of the archive.
   * @throws {InvalidArchiveError} if they are no archive, nor the beginning of one.
   */
  close(): boolean;
}

/**
 * Makes a scanner that ends the archive as GNU tar does: one block of zeros is the end, and what
 * follows it is ignored. An archive without any has lost its end, and maybe files.
 *
 * @param onHeader Looks at the header of each entry. What it throws, `write` throws.
 */
export function tarScanner(onHeader: (header: TarHeader) => void = () => {}): TarScanner {
  let passing = 0;
  let wanted = new Uint8Array(TAR_BLOCK_BYTES);
  let filled = 0;
  let onWanted: (bytes: Uint8Array) => void = readHeader;
  let hasBegun = false;
  let hasEnded = false;
  let globalSize: number | undefined;
  let nextSize: number | undefined;

  function readHeader(header: Uint8Array): void {
    if (header.every((byte) => byte === 0)) {
      hasEnded = true;
      return;
    }
    if (!hasBegun) requireBeginning(header);
    if (octal(header, CHECKSUM) !== checksum(header)) {
      throw new InvalidArchiveError("the checksum of a header is wrong");
    }
    hasBegun = true;
    const name = text(header, NAME);
    const flag = String.fromCharCode(header[TYPE_FLAG] ?? 0);
    if (EXTENDED.includes(flag)) return readExtendedHeader(name, flag, fieldSize(header));
    onHeader({ name, flag });
    const size = nextSize ?? globalSize ?? fieldSize(header);
    nextSize = undefined;
    if (BODYLESS.includes(flag)) return;
    requireSize(name, size);
    if (flag === SPARSE && header[SPARSE_IS_EXTENDED] !== 0) return readSparseMap(size);
    passing = paddedSize(size);
  }

  function readExtendedHeader(name: string, flag: string, size: number): void {
    requireSize(name, size);
    if (size > MAX_EXTENDED_HEADER_BYTES) {
      throw new InvalidArchiveError(`the extended header ${show(name)} has ${size} bytes`);
    }
    want(size, (body) => {
      if (flag === "x") nextSize = paxSize(body);
      if (flag === "g") globalSize = paxSize(body) ?? globalSize;
      want(TAR_BLOCK_BYTES, readHeader);
    });
  }

  /** The map of a sparse file in GNU's form goes on in blocks between the header and the bytes. */
  function readSparseMap(size: number): void {
    want(TAR_BLOCK_BYTES, (extension) => {
      if (extension[SPARSE_MAP_IS_EXTENDED] !== 0) return readSparseMap(size);
      want(TAR_BLOCK_BYTES, readHeader);
      passing = paddedSize(size);
    });
  }

  function want(size: number, then: (bytes: Uint8Array) => void): void {
    if (size === 0) return;
    wanted = new Uint8Array(size);
    onWanted = (bytes) => {
      // Set before, since what reads them may want others.
      passing = paddedSize(size) - size;
      then(bytes);
    };
  }

  return {
    write(chunk) {
      let offset = 0;
      while (offset < chunk.byteLength && !hasEnded) {
        const passed = Math.min(passing, chunk.byteLength - offset);
        passing -= passed;
        offset += passed;
        const taken = chunk.subarray(offset, offset + wanted.byteLength - filled);
        wanted.set(taken, filled);
        filled += taken.byteLength;
        offset += taken.byteLength;
        if (filled < wanted.byteLength) continue;
        filled = 0;
        onWanted(wanted);
      }
      if (!hasBegun && !hasEnded) requireBeginning(wanted.subarray(0, filled));
      return offset;
    },
    close() {
      const [, nameLength] = NAME;
      if (!hasBegun && !hasEnded && filled > 0 && filled <= nameLength) throw notTar();
      return hasEnded;
    },
  };
}

/**
 * Makes a stream that passes a tar archive on, and looks at what its decoder does not show: the type
 * flags. The decoder takes for a file what it does not know, so that a sparse file (GNU's `S`, whose
 * holes are not in the archive) would come out wrong.
 */
export function checkedTar(): TransformStream<Uint8Array, Uint8Array> {
  const scanner = tarScanner(({ name, flag }) => {
    if ((FILES + BODYLESS).includes(flag)) return;
    const kind = flag === SPARSE ? "a sparse file" : `of the unknown type ${show(flag)}`;
    throw new UnsafeArchiveError(name, `it is ${kind}, which cannot be read right`);
  });
  return new TransformStream({
    transform(chunk, controller) {
      const length = scanner.write(chunk);
      if (length > 0) controller.enqueue(chunk.subarray(0, length));
    },
    flush(controller) {
      if (!scanner.close()) throw new InvalidArchiveError("it ends before the end of the tar");
      // One block was passed on, the decoder wants two.
      controller.enqueue(new Uint8Array(TAR_BLOCK_BYTES));
    },
  });
}

function requireSize(name: string, size: number): void {
  if (Number.isSafeInteger(size)) return;
  throw new InvalidArchiveError(`the size of ${show(name)} is not a number of bytes`);
}

/** Throws unless the numbers of the first header, as far as they have come, are numbers. */
function requireBeginning(header: Uint8Array): void {
  const areNumbers = NUMBERS.every(([start, length]) => {
    const field = header.subarray(start, start + length);
    return (field[0] ?? 0) >= 0x80 || field.every((byte) => OCTAL.includes(byte));
  });
  if (!areNumbers) throw notTar();
}

function notTar(): InvalidArchiveError {
  return new InvalidArchiveError("it is neither gzip nor tar");
}

function paddedSize(size: number): number {
  return Math.ceil(size / TAR_BLOCK_BYTES) * TAR_BLOCK_BYTES;
}

/** The sum of all bytes, those of the checksum itself taken for spaces. */
function checksum(header: Uint8Array): number {
  const [start, length] = CHECKSUM;
  let sum = 0x20 * length;
  for (const byte of header.subarray(0, start)) sum += byte;
  for (const byte of header.subarray(start + length)) sum += byte;
  return sum;
}

function text(header: Uint8Array, [start, length]: readonly [number, number]): string {
  const [field = ""] = new TextDecoder().decode(header.subarray(start, start + length)).split("\0");
  return field;
}

function octal(header: Uint8Array, field: readonly [number, number]): number {
  const digits = text(header, field).trim();
  return /^[0-7]*$/.test(digits) ? parseInt(`0${digits}`, 8) : NaN;
}

/** A size in octal, or from 8 GiB on in GNU's base 256, where the first bit says so; else `NaN`. */
function fieldSize(header: Uint8Array): number {
  const [start, length] = SIZE;
  const [first = 0, ...rest] = header.subarray(start, start + length);
  if ((first & 0x80) === 0) return octal(header, SIZE);
  // Negative numbers begin with 0xff, and come out as too large.
  const size = rest.reduce((value, byte) => value * 256 + byte, first & 0x7f);
  return Number.isSafeInteger(size) ? size : NaN;
}

/** The `size` among the records "length key=value\n" of an extended header, the last if many. */
function paxSize(body: Uint8Array): number | undefined {
  const decoder = new TextDecoder();
  let size: number | undefined;
  for (let offset = 0; offset < body.byteLength;) {
    const space = body.indexOf(0x20, offset);
    const length = space < 0 ? NaN : parseInt(decoder.decode(body.subarray(offset, space)), 10);
    if (!(length > 0)) break;
    const record = decoder.decode(body.subarray(space + 1, offset + length - 1));
    const digits = /^size=(\d+)$/.exec(record)?.[1];
    if (digits !== undefined) size = Number(digits);
    offset += length;
  }
  return size;
}
