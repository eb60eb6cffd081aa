import { ApiConnectionError, DownloadInterruptedError, HpcaiError } from "../errors.ts";
import type { ArchivePosition } from "./archive_source.ts";

const ADVICE = "Download it again; saveArchive$ resumes from the bytes that it has on disk.";

/** An interruption after which another request may resume or restart the transfer. */
export class Interruption extends DownloadInterruptedError {
  /** Whether the received bytes are not the beginning of a valid archive. */
  readonly isDamaged: boolean;

  constructor(
    problem: string,
    loaded: number,
    total: number | undefined,
    { isDamaged = false, ...options }: ErrorOptions & { readonly isDamaged?: boolean } = {},
  ) {
    super(problem, loaded, total, { advice: ADVICE, ...options });
    this.isDamaged = isDamaged;
  }
}

/** The sink failed; the cause is the sink's own error. */
export class SinkError extends HpcaiError {
  constructor(cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`Cannot write the archive to the stream: ${reason}`, { cause });
  }
}

/**
 * Turns a connection error after the first byte into a `DownloadInterruptedError`; returns others
 * unchanged.
 */
export function toDownloadError(error: unknown, { loaded, total }: ArchivePosition): unknown {
  if (loaded === 0 || !(error instanceof ApiConnectionError)) return error;
  return new DownloadInterruptedError(error.problem, loaded, total, {
    advice: error.advice ?? ADVICE,
    cause: error,
  });
}
