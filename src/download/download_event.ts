/** The progress of a download. */
export interface DownloadProgressEvent {
  /** Distinguishes the events. */
  readonly type: "progress";
  /** How many bytes of the archive have been written to the sink. */
  readonly loaded: number;
  /** How many bytes the archive has, or `undefined` where the server does not send that. */
  readonly total: number | undefined;
  /** The rate over the last seconds, in bytes per second; 0 at the start. */
  readonly bytesPerSecond: number;
  /** How many milliseconds are left at that rate, or `undefined` while that is unknown. */
  readonly remainingMs: number | undefined;
}

/** The server is still building the archive, and is polled; has the fields of a progress event. */
export interface DownloadPreparingEvent extends Omit<DownloadProgressEvent, "type"> {
  /** Distinguishes the events. */
  readonly type: "preparing";
  /** How many milliseconds until the next request. */
  readonly retryInMs: number;
}

/** Why a download restarts. */
export type DownloadRestartReason =
  /** The server cannot resume: it has no strong entity tag, or supports no ranges. */
  | "not-resumable"
  /** The server has another archive now: its entity tag or its length has changed. */
  | "archive-changed"
  /** The received bytes are not the beginning of a valid archive. */
  | "archive-damaged";

/**
 * The download restarts from the first byte, since it was interrupted and could not be resumed; has the
 * fields of a progress event. Only this event resets `loaded`.
 */
export interface DownloadRestartEvent extends Omit<DownloadProgressEvent, "type"> {
  /** Distinguishes the events. */
  readonly type: "restart";
  /** Why it restarts. */
  readonly reason: DownloadRestartReason;
}

/** The format of an archive, by its first bytes. */
export type ArchiveFormat = "tar.gz" | "tar" | "unknown";

/** The whole archive has been received, and the sink is closed. */
export interface DownloadCompleteEvent {
  /** Distinguishes the events. */
  readonly type: "complete";
  /** How many bytes the archive has. */
  readonly loaded: number;
  /** The archive; `undefined` where it was written to a sink. */
  readonly body: Uint8Array<ArrayBuffer> | undefined;
  /**
   * The format of the bytes. It is `tar` where the server sends a `.tar.gz` with `Content-Encoding:
   * gzip`, since `fetch` decompresses it then.
   */
  readonly format: ArchiveFormat;
}

/** The events of a download: progress, then `complete` once. */
export type DownloadEvent =
  | DownloadPreparingEvent
  | DownloadProgressEvent
  | DownloadRestartEvent
  | DownloadCompleteEvent;

/** The options that all downloads share. */
export interface TransferOptions {
  /**
   * The shortest time between two progress events, in milliseconds. The first and the last are always
   * emitted. Default 100.
   */
  readonly progressIntervalMs?: number | undefined;
  /**
   * How long to wait for the next bytes before the transfer is interrupted, in milliseconds. Default 30
   * 000.
   */
  readonly idleTimeoutMs?: number | undefined;
  /** How long to wait while the server builds the archive, in milliseconds. Default 300 000. */
  readonly prepareTimeoutMs?: number | undefined;
  /**
   * How many bytes the archive may have, as transferred. A larger one fails with a `LimitExceededError`,
   * before its first byte where the server sends the length. Default: no limit.
   */
  readonly maxBytes?: number | undefined;
  /**
   * The lowest rate of the server, in bytes per second, over each `idleTimeoutMs` of waiting for it. The
   * time of the sink does not count. A slower transfer fails with a `TransferTooSlowError`. Default 0: no
   * limit.
   */
  readonly minBytesPerSecond?: number | undefined;
}

/** How to download. */
export interface DownloadOptions extends TransferOptions {
  /**
   * The stream that the archive is written to, with its backpressure. It is locked from the
   * subscription on, closed at the end, and aborted when the download fails or is unsubscribed from;
   * invalid arguments leave it unchanged. Without it the archive is held in memory.
   */
  readonly to?: WritableStream<Uint8Array> | undefined;
}
