import type { TransferOptions } from "./download_event.ts";

/** What an entry of an archive can be. */
export type ArchiveEntryType =
  | "file"
  | "directory"
  | "symlink"
  | "link"
  | "character-device"
  | "block-device"
  | "fifo";

/** What the archive says of an entry. Nothing of it is to be trusted; `extractArchive$` checks it. */
export interface ArchiveEntryHeader {
  /** The name as the archive has it, with `/` between its parts. */
  readonly path: string;
  /** What it is. */
  readonly type: ArchiveEntryType;
  /** How many bytes `body` has. */
  readonly size: number;
  /** The permissions, such as `0o644`. */
  readonly mode: number;
  /** When it was modified. */
  readonly mtime: Date;
  /** What a symbolic or hard link (`symlink`, `link`) points at; `undefined` for the rest. */
  readonly linkTarget: string | undefined;
}

/** An entry of an archive, whose bytes are still to come. */
export interface ArchiveEntry extends ArchiveEntryHeader {
  /**
   * The bytes. To get them, begin to read while the entry is being emitted, in `next` or `mergeMap`,
   * and read to the end or cancel. The next entry is emitted after that, so that `mergeMap` reads one
   * after the other. A body that is not being read by then is skipped, and fails when it is read later.
   */
  readonly body: ReadableStream<Uint8Array>;
}

/** How to read the entries of an archive. */
export interface ArchiveEntriesOptions
  extends Omit<TransferOptions, "progressIntervalMs" | "maxBytes"> {
  /** The most bytes that the entries may have together, decompressed. Default 2⁴⁰, a TiB. */
  readonly maxBytes?: number | undefined;
  /**
   * How many times as many bytes may come out of the gzip as have gone in, past the first 64 MiB.
   * Default 100; weights hardly reach 2, a gzip bomb 1000.
   */
  readonly maxRatio?: number | undefined;
}

/** How to read one entry of an archive. */
export interface ReadArchiveEntryOptions extends Omit<ArchiveEntriesOptions, "maxBytes"> {
  /**
   * The most bytes that the entry may have, which are held in memory. Default 2²⁶, 64 MiB. The entries
   * before it do not count.
   */
  readonly maxBytes?: number | undefined;
}
