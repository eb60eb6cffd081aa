import type { ArchivePosition } from "./archive_source.ts";
import type { ByteTransform } from "./unpacked.ts";

/** How to transfer. */
export interface TransferOptions {
  /** How long the server may give nothing, in milliseconds. */
  readonly idleTimeoutMs: number;
  /** How long the server may build the archive, in milliseconds. */
  readonly prepareTimeoutMs: number;
  /** Which bytes the sink has already; default none. */
  readonly position?: ArchivePosition | undefined;
  /** What decompresses an archive whose length is not certain. Default: that of the platform. */
  readonly gunzip?: (() => ByteTransform) | undefined;
  /** Whether the caller has waited for its turn, with `Transport.limitTransfers`. Default false. */
  readonly isLimited?: boolean | undefined;
}

/** What a sink is aborted with when nobody is subscribed any more. */
export function downloadCancelled(): DOMException {
  return new DOMException("The download was cancelled", "AbortError");
}
