import type { TransferSettings } from "./download_event.ts";

/** What an entry of an archive can be. */
export type ArchiveEntryType =
  | "file"
  | "directory"
  | "symlink"
  | "link"
  | "character-device"
  | "block-device"
  | "fifo"
  | "pax-header"
  | "pax-global-header"
  | "gnu-long-name"
  | "gnu-long-link-name";

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
   * The bytes. Whoever wants them begins to read while the entry is being emitted (in `next`, or in
   * `concatMap`), and reads to the end or cancels; else they are skipped.
   */
  readonly body: ReadableStream<Uint8Array>;
}

/** How to read the entries of an archive. */
export type ArchiveEntriesOptions = Omit<TransferSettings, "progressIntervalMs" | "maxBytes">;
