import type { TransferOptions } from "./download_event.ts";

/** The types of an archive's entries. */
export type ArchiveEntryType =
  | "file"
  | "directory"
  | "symlink"
  | "link"
  | "character-device"
  | "block-device"
  | "fifo";

/** The header of an entry, as the archive has it. It can be malicious; `extractArchive$` checks it. */
export interface ArchiveEntryHeader {
  /** The name in the archive, with `/` between its segments. */
  readonly path: string;
  /** The type of the entry. */
  readonly type: ArchiveEntryType;
  /** How many bytes `body` has. */
  readonly size: number;
  /** The permissions, such as `0o644`. */
  readonly mode: number;
  /** When it was modified. */
  readonly mtime: Date;
  /** The target of a symbolic or hard link (`symlink`, `link`); `undefined` for other types. */
  readonly linkTarget: string | undefined;
}

/** An entry of an archive. Its bytes have not arrived yet when it is emitted. */
export interface ArchiveEntry extends ArchiveEntryHeader {
  /**
   * The bytes. To get them, begin to read while the entry is being emitted, in `next` or `mergeMap`,
   * and read to the end or cancel. The next entry is emitted after that, so that `mergeMap` reads one
   * body after the other. A body whose reading begins later was skipped, and the read fails.
   */
  readonly body: ReadableStream<Uint8Array>;
}

/** How to read the entries of an archive. */
export interface ArchiveEntriesOptions
  extends Omit<TransferOptions, "progressIntervalMs" | "maxBytes"> {
  /** How many bytes the entries may have in total, decompressed. Default 2⁴⁰, 1 TiB. */
  readonly maxBytes?: number | undefined;
  /**
   * The highest ratio of decompressed to compressed bytes, after the first 64 MiB. Default 100; the
   * ratio of weights is below 2, that of a gzip bomb 1000.
   */
  readonly maxRatio?: number | undefined;
}

/** How to read one entry of an archive. */
export interface ReadArchiveEntryOptions extends Omit<ArchiveEntriesOptions, "maxBytes"> {
  /**
   * How many bytes the entry may have; they are held in memory. Default 2²⁶, 64 MiB. The entries before
   * it do not count.
   */
  readonly maxBytes?: number | undefined;
}
