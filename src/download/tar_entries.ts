// This module is browser compatible.

import { inspect } from "../arguments.ts";
import { HpcaiError, InvalidArchiveError, UnsafeArchiveError } from "../errors.ts";
import type { ArchiveEntry, ArchiveEntryHeader, ArchiveEntryType } from "./archive_entry.ts";
import { type DecompressedArchive, gzipError } from "./decompress.ts";
import {
  fieldBytes,
  fieldNumber,
  SPARSE_FLAG,
  type TarField,
  type TarMember,
  type TarScanner,
  tarScanner,
} from "./tar_scanner.ts";

/** How many bytes the entries may have in total, and the highest ratio of tar bytes to gzip bytes. */
export const DEFAULT_MAX_BYTES = 2 ** 40;
export const DEFAULT_MAX_RATIO = 100;

/** The first bytes may have any ratio, since that of a tar's padding alone is 1000. */
const UNLIMITED_RATIO_BYTES = 64 * 2 ** 20;

/** Whether the bytes of a tar exceed what its gzip may decompress to. */
export function exceedsRatio(tarBytes: number, gzipBytes: number, maxRatio: number): boolean {
  return tarBytes > Math.max(UNLIMITED_RATIO_BYTES, gzipBytes * maxRatio);
}

const NAME: TarField = [0, 100];
const MODE: TarField = [100, 8];
const MTIME: TarField = [136, 12];
const LINK_NAME: TarField = [157, 100];
const MAGIC: TarField = [257, 6];
/** The first part of the name in POSIX archives; GNU tar has other fields there. */
const PREFIX: TarField = [345, 155];

const SLASH = 0x2f;
/** Strict: a replacement character would make it another name. */
const UTF_8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The types by their flags; `\0` is the old flag of a file, `7` that of a contiguous one. */
const TYPES: Readonly<Record<string, ArchiveEntryType>> = {
  "\0": "file",
  "0": "file",
  "7": "file",
  "1": "link",
  "2": "symlink",
  "3": "character-device",
  "4": "block-device",
  "5": "directory",
  "6": "fifo",
};

/**
 * Reads the entries of an archive as it arrives. The next one is read once the body of the one before is
 * read to its end or cancelled; a body whose reading has not begun by then is skipped.
 *
 * @param archive The archive.
 * @param maxRatio The highest ratio of decompressed to compressed bytes.
 * @throws {InvalidArchiveError} if the archive is damaged.
 * @throws {UnsafeArchiveError} if an entry is not supported, or the archive exceeds `maxRatio`.
 */
export async function* tarEntries(
  { tar, bytesRead }: DecompressedArchive,
  maxRatio = Infinity,
): AsyncGenerator<ArchiveEntry, void, void> {
  let path = "";
  let tarBytes = 0;
  const source = tarSource(tar, (byteLength) => {
    tarBytes += byteLength;
    if (!exceedsRatio(tarBytes, bytesRead(), maxRatio)) return;
    const reason = `the archive decompresses to more than ${maxRatio} times its size (maxRatio)`;
    throw new UnsafeArchiveError(path, reason, {
      advice: "Increase maxRatio if that size is expected.",
    });
  });
  const scanner = tarScanner();
  let hasReader = false;
  try {
    for (let chunk = await source.peek(); chunk !== undefined; chunk = await source.peek()) {
      const { taken, member } = scanner.next(chunk);
      source.skip(taken);
      if (member === undefined) continue;
      const header = entryHeader(member);
      path = header.path;
      const { body, skip, consumed } = entryBody(header, source, scanner);
      yield { ...header, body };
      if (hasReader) await waitTurnsUntil(() => body.locked);
      hasReader = body.locked;
      if (!hasReader) skip();
      await consumed;
    }
    if (!scanner.close()) throw truncatedError();
  } finally {
    source.cancel();
  }
}

/** The bytes of a stream, any number at a time. */
interface TarSource {
  /** Resolves to the bytes that have arrived, or to `undefined` at the end. */
  peek(): Promise<Uint8Array | undefined>;
  /** Drops the first of those bytes. */
  skip(byteLength: number): void;
  /** Cancels the stream. */
  cancel(): void;
}

function tarSource(
  stream: ReadableStream<Uint8Array>,
  onChunk: (byteLength: number) => void,
): TarSource {
  const reader = stream.getReader();
  let chunk: Uint8Array = new Uint8Array();
  let reading: Promise<boolean> | undefined;

  const readChunk = async (): Promise<boolean> => {
    const { value } = await reader.read().catch(throwGzipError);
    reading = undefined;
    if (value === undefined) return false;
    onChunk(value.byteLength);
    chunk = value;
    return true;
  };
  return {
    async peek() {
      while (chunk.byteLength === 0) {
        // A cancelled body may still wait for the same chunk.
        if (!await (reading ??= readChunk())) return undefined;
      }
      return chunk;
    },
    skip: (byteLength) => void (chunk = chunk.subarray(byteLength)),
    cancel: () => void reader.cancel().catch(() => {}),
  };
}

/** More turns of the microtask queue than `concatMap` takes from the end of a body to the next entry. */
const MAX_TURNS = 100;

async function waitTurnsUntil(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < MAX_TURNS && !condition(); turn++) await undefined;
}

/** The bytes of an entry. */
interface EntryBody {
  readonly body: ReadableStream<Uint8Array>;
  /** Skips the bytes; reading them later fails. */
  readonly skip: () => void;
  /** Resolves once the bytes are read to their end, cancelled or skipped. */
  readonly consumed: Promise<void>;
}

function entryBody(
  { path, size }: ArchiveEntryHeader,
  source: TarSource,
  scanner: TarScanner,
): EntryBody {
  let remaining = size;
  let isCancelled = false;
  let isSkipped = false;
  let skip = () => {};
  let body = new ReadableStream<Uint8Array>();
  const consumed = new Promise<void>((resolve, reject) => {
    skip = () => {
      isSkipped = true;
      resolve();
    };
    body = new ReadableStream({
      start(controller) {
        if (size > 0) return;
        controller.close();
        resolve();
      },
      async pull(controller) {
        if (isSkipped) throw skippedError(path);
        try {
          const chunk = await source.peek();
          if (isCancelled) return;
          if (chunk === undefined) throw truncatedError();
          const bytes = chunk.subarray(0, remaining);
          source.skip(bytes.byteLength);
          scanner.write(bytes);
          remaining -= bytes.byteLength;
          controller.enqueue(bytes);
          if (remaining > 0) return;
          controller.close();
          resolve();
        } catch (error) {
          reject(error);
          throw error;
        }
      },
      cancel() {
        isCancelled = true;
        resolve();
      },
    }, { highWaterMark: 0 });
  });
  // It is not awaited where no further entry is read.
  consumed.catch(() => {});
  return { body, skip: () => skip(), consumed };
}

function entryHeader({ header, flag, size, extension }: TarMember): ArchiveEntryHeader {
  const name = extension("path") ?? ownName(header);
  const displayName = new TextDecoder().decode(name);
  const type = TYPES[flag];
  if (type === undefined || extension("GNU.sparse") !== undefined) {
    const isSparse = type !== undefined || flag === SPARSE_FLAG;
    const kind = isSparse ? "a sparse file" : `of the unknown type ${inspect(flag)}`;
    throw new UnsafeArchiveError(displayName, `it is ${kind}, which is not supported`);
  }
  const text = (what: string, bytes: Uint8Array): string => {
    try {
      return UTF_8.decode(bytes);
    } catch {
      throw new UnsafeArchiveError(displayName, `its ${what} is not UTF-8`);
    }
  };
  const path = text("name", name);
  const isLink = type === "link" || type === "symlink";
  const linkTarget = isLink
    ? text("target", extension("linkpath") ?? fieldBytes(header, LINK_NAME))
    : undefined;
  const mode = fieldNumber(header, MODE);
  const mtime = new Date(modificationTime(header, extension("mtime")) * 1000);
  if (Number.isNaN(mode) || Number.isNaN(mtime.getTime())) {
    throw new InvalidArchiveError(`the mode or time of ${inspect(path)} is not a number`);
  }
  // The tar of Unix V7 marks directories by the slash.
  const isDirectory = type === "file" && path.endsWith("/");
  return {
    path,
    type: isDirectory ? "directory" : type,
    size: isDirectory ? 0 : size,
    mode,
    mtime,
    linkTarget,
  };
}

function ownName(header: Uint8Array): Uint8Array {
  const name = fieldBytes(header, NAME);
  const prefix = isPosix(header) ? fieldBytes(header, PREFIX) : new Uint8Array();
  return prefix.byteLength === 0 ? name : Uint8Array.of(...prefix, SLASH, ...name);
}

function isPosix(header: Uint8Array): boolean {
  return new TextDecoder().decode(fieldBytes(header, MAGIC)) === "ustar";
}

/** The time of modification, in seconds since 1970. */
function modificationTime(header: Uint8Array, extension: Uint8Array | undefined): number {
  return extension === undefined
    ? fieldNumber(header, MTIME)
    : parseFloat(new TextDecoder().decode(extension));
}

function skippedError(path: string): HpcaiError {
  return new HpcaiError(
    `Cannot read the archive's entry ${
      inspect(path)
    }: its body was skipped, since no read began when ` +
      "the entry was emitted",
    { advice: "Begin to read in next or mergeMap." },
  );
}

function truncatedError(): InvalidArchiveError {
  return new InvalidArchiveError("it ends before the end of the tar");
}

function throwGzipError(cause: unknown): never {
  throw gzipError(cause);
}
