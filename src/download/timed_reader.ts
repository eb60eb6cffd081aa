import type { ChunkUse } from "./archive_sink.ts";
import { chunkReader } from "./chunk_reader.ts";
import { rateFloor } from "./rate_floor.ts";
import { idleTimer } from "./idle_timer.ts";
import type { TransferSettings } from "./transfer_settings.ts";

/** A chunk of a body. */
export interface TimedChunk {
  readonly bytes: Uint8Array;
  /** The rate in bytes per second, where it is lower than the settings allow. */
  readonly slowRate: number | undefined;
}

/** Reads a body, and detects bytes that arrive late or slowly. */
export interface TimedReader {
  /** Resolves to the next chunk, or to `undefined` at the end. Rejects if the connection is lost. */
  read(): Promise<TimedChunk | undefined>;
  /** Cancels the body and stops the timer. */
  stop(): void;
}

/**
 * Makes a reader of a body.
 *
 * @param body The body; `undefined` for one without bytes.
 * @param use How the sink uses a chunk.
 * @param onStall Called once, when no bytes arrive for `idleTimeoutMs`.
 */
export function timedReader(
  body: ReadableStream<Uint8Array> | undefined,
  use: ChunkUse | undefined,
  { idleTimeoutMs, minBytesPerSecond }: TransferSettings,
  onStall: () => void,
): TimedReader {
  const reader = body && chunkReader(body, use);
  const timer = idleTimer(idleTimeoutMs, onStall);
  const rate = rateFloor(minBytesPerSecond, idleTimeoutMs);
  return {
    async read() {
      timer.begin();
      rate.begin();
      try {
        const next = await reader?.read();
        if (next === undefined || next.done) return undefined;
        return { bytes: next.value, slowRate: rate.end(next.value.byteLength) };
      } finally {
        timer.end();
      }
    },
    stop() {
      timer.stop();
      reader?.cancel().catch(() => {});
    },
  };
}
