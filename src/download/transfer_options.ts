import type { ArchivePosition } from "./archive_source.ts";

/** How to transfer. */
export interface TransferOptions {
  /** How long the server may send nothing, in milliseconds. */
  readonly idleTimeoutMs: number;
  /** How long the server may build the archive, in milliseconds. */
  readonly prepareTimeoutMs: number;
  /** How many bytes the archive may have, as it is transferred. */
  readonly maxBytes: number;
  /** The lowest rate that is taken for a transfer, in bytes per second. */
  readonly minBytesPerSecond: number;
  /** Which bytes the sink has already; default none. */
  readonly position?: ArchivePosition | undefined;
  /** Is shown each chunk and its place in the archive, before the sink is. */
  readonly observe?: ((chunk: Uint8Array, offset: number) => void) | undefined;
  /** Whether the caller has waited for its turn, with `Transport.limitTransfers`. Default false. */
  readonly isLimited?: boolean | undefined;
}

/** What a sink is aborted with when it is unsubscribed from. */
export function downloadCancelled(): DOMException {
  return new DOMException("The download was cancelled", "AbortError");
}
