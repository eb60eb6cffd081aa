// This module is browser compatible.

import { inspect } from "../arguments.ts";
import { InvalidArchiveError } from "../errors.ts";

/** Tar counts in blocks of this many bytes (POSIX.1-2001, pax, "ustar Interchange Format"). */
export const TAR_BLOCK_BYTES = 512;

/** The most bytes that extended headers may have; real ones have tens of kilobytes at most. */
const MAX_EXTENDED_HEADER_BYTES = 2 ** 20;

/** The place of a field in a header. */
export type TarField = readonly [offset: number, length: number];

const NAME: TarField = [0, 100];
const SIZE: TarField = [124, 12];
const CHECKSUM: TarField = [148, 8];
const TYPE_FLAG = 156;
/** Mode, owner, group and size. */
const NUMBERS: readonly TarField[] = [[100, 8], [108, 8], [116, 8], SIZE];
const OCTAL_BYTES: Uint8Array = new TextEncoder().encode("01234567 \0");
/**
 * The bytes of a GNU sparse file's header, and of a block of its map, that are set if more of the map
 * follows.
 */
const SPARSE_IS_EXTENDED = 482;
const SPARSE_MAP_IS_EXTENDED = 504;

/** The flags of links, devices, directories and FIFOs: no bytes follow, even if `size` is not 0. */
const BODYLESS_FLAGS = "123456";
/** The flag of a sparse file in GNU's format. */
export const SPARSE_FLAG = "S";
/** The flags of PAX extended headers: for one member, and for all members that follow. */
const PAX_FLAGS = "xg";
/** The flags of GNU's long names and link targets, with their keywords in PAX. */
const GNU_LONG_FLAGS: Readonly<Record<string, TarKeyword>> = { L: "path", K: "linkpath" };

/** The keywords of extended headers that are read; `GNU.sparse` stands for all of a sparse file. */
export type TarKeyword = "path" | "linkpath" | "mtime" | "size" | "GNU.sparse";

/** A member of an archive, as its headers describe it. */
export interface TarMember {
  /** Its header, which the next read overwrites. */
  readonly header: Uint8Array;
  /** The type flag. */
  readonly flag: string;
  /** How many bytes it has. */
  readonly size: number;
  /** Returns the value in an extended header, which replaces that in `header`. */
  extension(keyword: TarKeyword): Uint8Array | undefined;
}

/** Follows the bytes of a tar archive, member by member. */
export interface TarScanner {
  /**
   * Takes the next bytes, all of them.
   *
   * @throws {InvalidArchiveError} if they are not those of an archive.
   */
  write(chunk: Uint8Array): void;
  /**
   * Takes the next bytes up to the end of a member's header, or all of them if none ends there; also the
   * bytes of a member, and those after the end of the archive.
   *
   * @returns How many it took, and the member, if any.
   * @throws {InvalidArchiveError} if they are not those of an archive.
   */
  next(chunk: Uint8Array): { readonly taken: number; readonly member: TarMember | undefined };
  /**
   * Takes the end of the bytes.
   *
   * @returns Whether they reached the end of the archive.
   * @throws {InvalidArchiveError} if they are not the beginning of an archive.
   */
  close(): boolean;
}

/**
 * Makes a scanner. The archive ends as in GNU tar: with one block of zeros; all that follows is ignored.
 * An archive without such a block is truncated.
 */
export function tarScanner(): TarScanner {
  /** How many of the next bytes to skip. */
  let bytesToSkip = 0;
  let buffer = new Uint8Array(TAR_BLOCK_BYTES);
  let bufferedBytes = 0;
  let onFull: (bytes: Uint8Array) => void = readHeader;
  let member: TarMember | undefined;
  let hasBegun = false;
  let hasEnded = false;
  const globalRecords = new Map<TarKeyword, Uint8Array>();
  let memberRecords = new Map<TarKeyword, Uint8Array>();
  let longNames = new Map<TarKeyword, Uint8Array>();

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
    const flag = String.fromCharCode(header[TYPE_FLAG] ?? 0);
    if (PAX_FLAGS.includes(flag) || flag in GNU_LONG_FLAGS) return readExtendedHeader(header, flag);
    readMember(header, flag);
  }

  function readMember(header: Uint8Array, flag: string): void {
    const [records, names] = [memberRecords, longNames];
    const extension = (keyword: TarKeyword) =>
      records.get(keyword) ?? names.get(keyword) ?? globalRecords.get(keyword);
    const size = BODYLESS_FLAGS.includes(flag) ? 0 : sizeOf(header, extension("size"));
    memberRecords = new Map();
    longNames = new Map();
    member = { header, flag, size, extension };
    if (flag === SPARSE_FLAG && header[SPARSE_IS_EXTENDED] !== 0) return readSparseMap(size);
    bytesToSkip = paddedSize(size);
  }

  function readExtendedHeader(header: Uint8Array, flag: string): void {
    const size = sizeOf(header);
    if (size > MAX_EXTENDED_HEADER_BYTES) {
      throw new InvalidArchiveError(`the extended header ${nameOf(header)} has ${size} bytes`);
    }
    collect(size, (body) => {
      const keyword = GNU_LONG_FLAGS[flag];
      if (keyword !== undefined) longNames.set(keyword, untilNul(body));
      else readPaxRecords(body, flag === "g" ? globalRecords : memberRecords);
      collect(TAR_BLOCK_BYTES, readHeader);
    });
  }

  /** The map of a sparse file in GNU's format continues in blocks between the header and the bytes. */
  function readSparseMap(size: number): void {
    collect(TAR_BLOCK_BYTES, (extension) => {
      if (extension[SPARSE_MAP_IS_EXTENDED] !== 0) return readSparseMap(size);
      collect(TAR_BLOCK_BYTES, readHeader);
      bytesToSkip = paddedSize(size);
    });
  }

  /** Collects the next `size` bytes, passes them to `then`, and skips their padding. */
  function collect(size: number, then: (bytes: Uint8Array) => void): void {
    if (size === 0) return;
    buffer = new Uint8Array(size);
    onFull = (bytes) => {
      // Set first, since `then` may set it too.
      bytesToSkip = paddedSize(size) - size;
      then(bytes);
    };
  }

  const scanner: TarScanner = {
    write(chunk) {
      for (let taken = 0; taken < chunk.byteLength;) {
        taken += scanner.next(taken === 0 ? chunk : chunk.subarray(taken)).taken;
      }
    },
    next(chunk) {
      let taken = 0;
      member = undefined;
      while (taken < chunk.byteLength && member === undefined) {
        const bytesToPass = hasEnded ? Infinity : bytesToSkip;
        const rest = chunk.byteLength - taken;
        if (bytesToPass >= rest) {
          bytesToSkip -= rest;
          return { taken: chunk.byteLength, member };
        }
        taken += bytesToSkip;
        bytesToSkip = 0;
        const next = chunk.subarray(taken, taken + buffer.byteLength - bufferedBytes);
        buffer.set(next, bufferedBytes);
        bufferedBytes += next.byteLength;
        taken += next.byteLength;
        if (bufferedBytes < buffer.byteLength) break;
        bufferedBytes = 0;
        onFull(buffer);
      }
      if (!hasBegun && !hasEnded) requireBeginning(buffer.subarray(0, bufferedBytes));
      return { taken, member };
    },
    close() {
      const [, nameLength] = NAME;
      if (!hasBegun && !hasEnded && bufferedBytes > 0 && bufferedBytes <= nameLength) {
        throw notTarError();
      }
      return hasEnded;
    },
  };
  return scanner;
}

/** A field's text, up to the first NUL. */
export function fieldBytes(header: Uint8Array, [start, length]: TarField): Uint8Array {
  return untilNul(header.subarray(start, start + length));
}

/** A number in octal, or in GNU's base 256 if the first bit is set; `NaN` if it is neither. */
export function fieldNumber(header: Uint8Array, field: TarField): number {
  const [start, length] = field;
  const [first = 0, ...rest] = header.subarray(start, start + length);
  if ((first & 0x80) === 0) return octal(header, field);
  // The second bit is the sign.
  return rest.reduce((value, byte) => value * 256 + byte, (first & 0x7f) - ((first & 0x40) << 1));
}

/** The name in a header, for a message. */
export function nameOf(header: Uint8Array): string {
  return inspect(new TextDecoder().decode(fieldBytes(header, NAME)));
}

function untilNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

function octal(header: Uint8Array, field: TarField): number {
  const digits = new TextDecoder().decode(fieldBytes(header, field)).trim();
  return /^[0-7]*$/.test(digits) ? parseInt(`0${digits}`, 8) : NaN;
}

function sizeOf(header: Uint8Array, extension?: Uint8Array): number {
  const size = extension === undefined
    ? fieldNumber(header, SIZE)
    : decimal(new TextDecoder().decode(extension));
  if (Number.isSafeInteger(size) && size >= 0) return size;
  throw new InvalidArchiveError(`the size of ${nameOf(header)} is not a number of bytes`);
}

function decimal(digits: string): number {
  return /^\d+$/.test(digits) ? Number(digits) : NaN;
}

function paddedSize(size: number): number {
  return Math.ceil(size / TAR_BLOCK_BYTES) * TAR_BLOCK_BYTES;
}

/** The sum of all bytes, with spaces in place of the checksum itself. */
function checksum(header: Uint8Array): number {
  const [start, length] = CHECKSUM;
  let sum = 0x20 * length;
  for (const byte of header.subarray(0, start)) sum += byte;
  for (const byte of header.subarray(start + length)) sum += byte;
  return sum;
}

/** Throws unless the numeric fields of the first header, as far as they have arrived, are numbers. */
function requireBeginning(header: Uint8Array): void {
  const areNumbers = NUMBERS.every(([start, length]) => {
    const field = header.subarray(start, start + length);
    return (field[0] ?? 0) >= 0x80 || field.every((byte) => OCTAL_BYTES.includes(byte));
  });
  if (!areNumbers) throw notTarError();
}

/** Makes the error for bytes that are no archive. */
export function notTarError(): InvalidArchiveError {
  return new InvalidArchiveError("it is neither gzip nor tar");
}

const KEYWORDS: ReadonlySet<string> = new Set<TarKeyword>(["path", "linkpath", "mtime", "size"]);

function isKeyword(keyword: string): keyword is TarKeyword {
  return KEYWORDS.has(keyword);
}

/**
 * Reads the records "length keyword=value\n" of a PAX extended header (POSIX.1-2001, pax, "pax Header
 * Block"). Of two with the same keyword the last counts; an empty value removes those before.
 */
function readPaxRecords(body: Uint8Array, into: Map<TarKeyword, Uint8Array>): void {
  const decoder = new TextDecoder();
  for (let start = 0; start < body.byteLength;) {
    const space = body.indexOf(0x20, start);
    const equals = body.indexOf(0x3d, space);
    const digits = decoder.decode(body.subarray(start, Math.max(start, space)));
    const end = start + decimal(digits);
    if (!(space < equals && equals < end && end <= body.byteLength && body[end - 1] === 0x0a)) {
      throw new InvalidArchiveError("a record of an extended header is malformed");
    }
    const keyword = decoder.decode(body.subarray(space + 1, equals));
    const value = body.subarray(equals + 1, end - 1);
    if (keyword.startsWith("GNU.sparse.")) into.set("GNU.sparse", value);
    else if (isKeyword(keyword)) {
      if (value.byteLength === 0) into.delete(keyword);
      else into.set(keyword, value);
    }
    start = end;
  }
}
