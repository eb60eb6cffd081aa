import type { ArchiveEntryHeader } from "../download/archive_entry.ts";
import type {
  DownloadPreparingEvent,
  DownloadProgressEvent,
  DownloadRestartEvent,
  TransferOptions,
} from "../download/download_event.ts";

/** How far an extraction is; `loaded` and `total` are those of the archive as it is transferred. */
export interface ExtractProgressEvent extends DownloadProgressEvent {
  /** How many entries have been extracted. */
  readonly entries: number;
}

/** The server still builds the archive, and is asked again. */
export interface ExtractPreparingEvent extends DownloadPreparingEvent {
  /** How many entries have been extracted. */
  readonly entries: number;
}

/**
 * What was extracted is removed, and the extraction begins again: the download was interrupted and
 * could not be resumed.
 */
export interface ExtractRestartEvent extends DownloadRestartEvent {
  /** How many entries have been extracted: 0. */
  readonly entries: number;
}

/** A file or link has been extracted. */
export interface ExtractEntryEvent {
  /** Distinguishes the events. */
  readonly type: "entry";
  /** Its name in the directory, with `/` between its parts. */
  readonly path: string;
  /** How many bytes it has; 0 for a link. */
  readonly size: number;
}

/** The whole archive is extracted, and the directory in its place. */
export interface ExtractCompleteEvent {
  /** Distinguishes the events. */
  readonly type: "complete";
  /** The directory, as it was given. */
  readonly directory: string;
  /** How many entries it has been given, directories included. */
  readonly entries: number;
  /** How many bytes its files have. */
  readonly bytes: number;
}

/** What an extraction emits. */
export type ExtractEvent =
  | ExtractPreparingEvent
  | ExtractProgressEvent
  | ExtractRestartEvent
  | ExtractEntryEvent
  | ExtractCompleteEvent;

/** How to extract. */
export interface ExtractOptions extends Omit<TransferOptions, "maxBytes"> {
  /** Whether a directory that exists is replaced, at the end. Default: it is an error. */
  readonly overwrite?: boolean | undefined;
  /**
   * How many parts to take off the front of each name, as `tar --strip-components` does; entries
   * that have no more are left out. Default 0.
   */
  readonly strip?: number | undefined;
  /** Whether to extract an entry. Default: all. */
  readonly filter?: ((entry: ArchiveEntryHeader) => boolean) | undefined;
  /**
   * The most entries that an archive may have, and the most that are made, with the directories that
   * are only parts of names. Default 100 000.
   */
  readonly maxEntries?: number | undefined;
  /** The most bytes that the files may have together. Default 2⁴⁰, a TiB. */
  readonly maxBytes?: number | undefined;
  /**
   * How many times as many bytes may come out of the gzip as have gone in, past the first 64 MiB.
   * Default 100; weights hardly reach 2, a gzip bomb 1000.
   */
  readonly maxRatio?: number | undefined;
}
