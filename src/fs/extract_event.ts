import type { ArchiveEntryHeader } from "../download/archive_entry.ts";
import type {
  DownloadPreparingEvent,
  DownloadProgressEvent,
  DownloadRestartEvent,
  TransferOptions,
} from "../download/download_event.ts";

/** The progress of an extraction; `loaded` and `total` count the bytes of the archive as transferred. */
export interface ExtractProgressEvent extends DownloadProgressEvent {
  /** How many entries have been extracted. */
  readonly entries: number;
}

/** The server is still building the archive; the request is sent again. */
export interface ExtractPreparingEvent extends DownloadPreparingEvent {
  /** How many entries have been extracted. */
  readonly entries: number;
}

/**
 * The extraction restarts, since the download was interrupted and could not be resumed. What was
 * extracted has been removed.
 */
export interface ExtractRestartEvent extends DownloadRestartEvent {
  /** How many entries have been extracted: 0. */
  readonly entries: number;
}

/** A file or link has been extracted. */
export interface ExtractEntryEvent {
  /** Distinguishes the events. */
  readonly type: "entry";
  /** Its path in the directory, with `/` between the segments. */
  readonly path: string;
  /** How many bytes it has; 0 for a link. */
  readonly size: number;
}

/** The whole archive is extracted, and the directory has its name. */
export interface ExtractCompleteEvent {
  /** Distinguishes the events. */
  readonly type: "complete";
  /** The directory, as passed. */
  readonly directory: string;
  /** How many entries were extracted, directories included. */
  readonly entries: number;
  /** How many bytes its files have. */
  readonly bytes: number;
}

/** The events of an extraction. */
export type ExtractEvent =
  | ExtractPreparingEvent
  | ExtractProgressEvent
  | ExtractRestartEvent
  | ExtractEntryEvent
  | ExtractCompleteEvent;

/** How to extract. */
export interface ExtractOptions extends Omit<TransferOptions, "maxBytes"> {
  /** Whether an existing directory is replaced, at the end. Default `false`: it is an error. */
  readonly overwrite?: boolean | undefined;
  /**
   * How many leading segments to remove from each name, as `tar --strip-components` does. An entry whose
   * name has no other segments is not extracted. Default 0.
   */
  readonly strip?: number | undefined;
  /** Returns whether to extract an entry. Default: all are extracted. */
  readonly filter?: ((entry: ArchiveEntryHeader) => boolean) | undefined;
  /**
   * The maximum number of entries. Default 100 000.
   *
   * It limits those of the archive, and those that are created, including directories that are only
   * segments of names.
   */
  readonly maxEntries?: number | undefined;
  /** The maximum total length of the files, in bytes. Default 2⁴⁰, 1 TiB. */
  readonly maxBytes?: number | undefined;
  /**
   * The highest ratio of decompressed to compressed bytes, after the first 64 MiB. Default 100; weights
   * hardly reach 2, a gzip bomb 1000.
   */
  readonly maxRatio?: number | undefined;
}
