// This module is browser compatible.

import { show } from "../arguments.ts";
import { InvalidArchiveError, UnsafeArchiveError } from "../errors.ts";

/** Tar counts in blocks of this many bytes (POSIX.1-2001, pax, "ustar Interchange Format"). */
const BLOCK = 512;

/** The most bytes that extended headers may have; tens of kilobytes are many. */
const MAX_EXTENDED_HEADER_BYTES = 2 ** 20;

/** Where a header's fields are, as [offset, length]. */
const NAME = [0, 100] as const;
const SIZE = [124, 12] as const;
const CHECKSUM = [148, 8] as const;
const TYPE_FLAG = 156;

/** A file, also in the old form and the contiguous one, which are read alike. */
const FILES = "0\x007";
/** Links, devices, directories, FIFOs: no bytes follow, whatever `size` says. */
const BODYLESS = "123456";
/** Extended headers: of one member, of all, and GNU's long names. */
const EXTENDED = "xgLK";

/**
 * Makes a stream that passes a tar archive on, and looks at what its decoder does not show: the type
 * flags. The decoder takes for a file what it does not know, so that a sparse file (GNU's `S`, whose
 * holes are not in the archive) would come out wrong.
 *
 * It also ends the archive as GNU tar does: one block of zeros is the end, and what follows it is
 * ignored. An archive without any has lost its end, and maybe files.
 */
export function checkedTar(): TransformStream<Uint8Array, Uint8Array> {
  let passing = 0;
  let wanted = new Uint8Array(BLOCK);
  let filled = 0;
  let onWanted: (bytes: Uint8Array) => void = readHeader;
  let nextSize: number | undefined;
  let hasEnded = false;

  function readHeader(header: Uint8Array): void {
    if (header.every((byte) => byte === 0)) {
      hasEnded = true;
      return;
    }
    if (octal(header, CHECKSUM) !== checksum(header)) {
      throw new InvalidArchiveError("the checksum of a header is wrong");
    }
    const name = show(text(header, NAME));
    const flag = String.fromCharCode(header[TYPE_FLAG] ?? 0);
    const size = nextSize ?? fieldSize(header);
    nextSize = undefined;
    if (BODYLESS.includes(flag)) return;
    if (!Number.isSafeInteger(size)) {
      throw new InvalidArchiveError(`the size of ${name} is not a number of bytes`);
    }
    if (EXTENDED.includes(flag)) {
      if (size > MAX_EXTENDED_HEADER_BYTES) {
        throw new InvalidArchiveError(`the extended header ${name} has ${size} bytes`);
      }
      if (flag === "x" || flag === "g") return want(size, readExtendedHeader);
    } else if (!FILES.includes(flag)) {
      const kind = flag === "S" ? "a sparse file" : `of the unknown type ${show(flag)}`;
      throw new UnsafeArchiveError(text(header, NAME), `it is ${kind}, which cannot be read right`);
    }
    passing = padded(size);
  }

  function readExtendedHeader(body: Uint8Array): void {
    nextSize = paxSize(body);
    want(BLOCK, readHeader);
  }

  function want(size: number, then: (bytes: Uint8Array) => void): void {
    if (size === 0) return;
    wanted = new Uint8Array(size);
    onWanted = (bytes) => {
      // Set before, since what reads them may want others.
      passing = padded(size) - size;
      then(bytes);
    };
  }

  return new TransformStream({
    transform(chunk, controller) {
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
      if (offset > 0) controller.enqueue(chunk.subarray(0, offset));
    },
    flush(controller) {
      if (!hasEnded) throw new InvalidArchiveError("it breaks off before its end");
      // One block was passed on, the decoder wants two.
      controller.enqueue(new Uint8Array(BLOCK));
    },
  });
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

/** The sum of all bytes, those of the checksum itself taken for spaces. */
function checksum(header: Uint8Array): number {
  const [start, length] = CHECKSUM;
  return header.reduce(
    (sum, byte, index) => sum + (index >= start && index < start + length ? 0x20 : byte),
    0,
  );
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
