import type { ChunkUse } from "./archive_sink.ts";
import { chunkReader } from "./chunk_reader.ts";
import { rateFloor } from "./rate_floor.ts";
import { stallWatch } from "./stall_watch.ts";
import type { TransferSettings } from "./transfer_settings.ts";

/** A chunk of a body. */
export interface WatchedChunk {
  readonly bytes: Uint8Array;
  /** The rate in bytes per second, where it is lower than the settings allow. */
  readonly slowRate: number | undefined;
}

/** Reads a body, and watches that its bytes arrive in time. */
export interface WatchedReader {
  /** Resolves to the next chunk, or to `undefined` at the end. Rejects if the connection is lost. */
  read(): Promise<WatchedChunk | undefined>;
  /** Cancels the body and stops the watch. */
  stop(): void;
}

/**
 * Makes a reader of a body.
 *
 * @param body The body; `undefined` for one without bytes.
 * @param use What the sink does with a chunk.
 * @param onStall Called once, when no bytes arrive for `idleTimeoutMs`.
 */
export function watchedReader(
  body: ReadableStream<Uint8Array> | undefined,
  use: ChunkUse | undefined,
  { idleTimeoutMs, minBytesPerSecond }: TransferSettings,
  onStall: () => void,
): WatchedReader {
  const reader = body && chunkReader(body, use);
  const watch = stallWatch(idleTimeoutMs, onStall);
  const rate = rateFloor(minBytesPerSecond, idleTimeoutMs);
  return {
    async read() {
      watch.begin();
      rate.begin();
      try {
        const next = await reader?.read();
        if (next === undefined || next.done) return undefined;
        return { bytes: next.value, slowRate: rate.end(next.value.byteLength) };
      } finally {
        watch.end();
      }
    },
    stop() {
      watch.stop();
      reader?.cancel().catch(() => {});
    },
  };
}
