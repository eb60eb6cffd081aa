/** How far a download is. */
export interface DownloadProgressEvent {
  /** Tells the events apart. */
  readonly type: "progress";
  /** How many bytes of the archive the sink has been given. */
  readonly loaded: number;
  /** How many bytes the archive has, or `undefined` where the server does not say. */
  readonly total: number | undefined;
  /** The rate over the last seconds, in bytes a second; 0 at the start. */
  readonly bytesPerSecond: number;
  /** How many milliseconds are left at that rate, or `undefined` while that cannot be said. */
  readonly remainingMs: number | undefined;
}

/** The server still builds the archive, and is asked again; else like a progress event. */
export interface DownloadPreparingEvent extends Omit<DownloadProgressEvent, "type"> {
  /** Tells the events apart. */
  readonly type: "preparing";
  /** How many milliseconds until the next request. */
  readonly retryInMs: number;
}

/** Why what was received had to be dropped. */
export type DownloadRestartReason =
  /** The server cannot resume: it has no strong entity tag, or supports no ranges. */
  | "not-resumable"
  /** The server has another archive now: its entity tag or its length is another. */
  | "archive-changed"
  /** What was received is no beginning of a right archive. */
  | "archive-damaged";

/**
 * The download begins again with the first byte, since it was interrupted and could not be resumed;
 * else like a progress event. Only after this event `loaded` is less than before.
 */
export interface DownloadRestartEvent extends Omit<DownloadProgressEvent, "type"> {
  /** Tells the events apart. */
  readonly type: "restart";
  /** Why what was received was dropped. */
  readonly reason: DownloadRestartReason;
}

/** What the bytes of an archive are, by their first bytes. */
export type ArchiveFormat = "tar.gz" | "tar" | "unknown";

/** The whole archive has arrived, and the sink has taken and closed it. */
export interface DownloadCompleteEvent {
  /** Tells the events apart. */
  readonly type: "complete";
  /** How many bytes the archive has. */
  readonly loaded: number;
  /** The archive; `undefined` where it went into a sink. */
  readonly body: Uint8Array<ArrayBuffer> | undefined;
  /**
   * What the bytes are. `tar` where the server says `Content-Encoding: gzip` of a stored `.tar.gz`, since
   * `fetch` has decompressed it then.
   */
  readonly format: ArchiveFormat;
}

/** What a download emits: progress, then once that it is complete. */
export type DownloadEvent =
  | DownloadPreparingEvent
  | DownloadProgressEvent
  | DownloadRestartEvent
  | DownloadCompleteEvent;

/** The options that all downloads share. */
export interface TransferOptions {
  /**
   * The least time between two progress events, in milliseconds; the first and the last are always
   * emitted. Default 100.
   */
  readonly progressIntervalMs?: number | undefined;
  /** How long the server may send nothing, in milliseconds. Default 30 000. */
  readonly idleTimeoutMs?: number | undefined;
  /** How long the server may build the archive, in milliseconds. Default 300 000. */
  readonly prepareTimeoutMs?: number | undefined;
  /**
   * How many bytes the archive may have, as it is transferred. One that has more fails with a
   * `LimitExceededError`, before its first byte where the server announces the length. Default: any.
   */
  readonly maxBytes?: number | undefined;
  /**
   * The lowest rate of the server, in bytes per second, over each `idleTimeoutMs` of waiting for it; time
   * that the sink takes does not count. A slower transfer fails with a `TransferTooSlowError`. Default 0:
   * any.
   */
  readonly minBytesPerSecond?: number | undefined;
}

/** How to download. */
export interface DownloadOptions extends TransferOptions {
  /**
   * Where the bytes go, with back-pressure: no more is read than the stream takes. It is closed at
   * the end, and aborted when the download fails or is unsubscribed from; options and arguments that
   * are not usable leave it alone. Without it the archive is held in memory.
   */
  readonly to?: WritableStream<Uint8Array> | undefined;
}
