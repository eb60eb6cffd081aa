// This module is browser compatible.

import { abortableDelay } from "./abortable_delay.ts";

/** Bytes that can be read from any position. A `Uint8Array` is one. */
export interface ByteSource {
  /** How many bytes there are. */
  readonly byteLength: number;
  /** Returns a copy of the bytes from `start` up to but excluding `end`. */
  slice(start: number, end: number): Uint8Array<ArrayBuffer>;
}

/** What follows the last byte of a stream: the end, an error, or no more data. */
export type StreamEnding = "close" | "error" | "stall";

/** How a stream sends its bytes. */
export interface ByteStreamOptions {
  /** Default: `"close"`. */
  readonly ending?: StreamEnding | undefined;
  /** The highest transfer rate. Default: unlimited. */
  readonly bytesPerSecond?: number | undefined;
  /** Errors the stream with the signal's reason, as `fetch` does with a body in flight. */
  readonly signal?: AbortSignal | undefined;
}

/** Small enough to keep backpressure tight, large enough to spread the cost of a chunk. */
const CHUNK_BYTES = 256 * 1024;

/** A limited stream sends at least this many chunks a second, so that progress is smooth. */
const MIN_CHUNKS_PER_SECOND = 10;

/** Returns a view of the bytes of `source` from `start` up to but excluding `end`. */
export function byteRange(source: ByteSource, start: number, end: number): ByteSource {
  return {
    byteLength: end - start,
    slice: (from, to) => source.slice(start + from, start + to),
  };
}

/** Streams `source` from its first byte; creates each chunk on demand. */
export function byteStream(
  source: ByteSource,
  { ending = "close", bytesPerSecond = Infinity, signal }: ByteStreamOptions = {},
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const chunkBytes = Math.min(
    CHUNK_BYTES,
    Math.max(1, Math.floor(bytesPerSecond / MIN_CHUNKS_PER_SECOND)),
  );
  const teardown = new AbortController();
  let position = 0;
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      const abort = () => {
        controller.error(signal?.reason);
        teardown.abort();
      };
      if (signal?.aborted) abort();
      else signal?.addEventListener("abort", abort, { once: true, signal: teardown.signal });
    },
    async pull(controller) {
      const end = Math.min(position + chunkBytes, source.byteLength);
      if (end > position) {
        const delayMs = (end - position) / bytesPerSecond * 1000;
        if (delayMs > 0) await abortableDelay(delayMs, teardown.signal);
        controller.enqueue(source.slice(position, end));
        position = end;
        // A close right after the last chunk saves a pull. An error would discard the queued chunk.
        if (end < source.byteLength || ending !== "close") return;
      }
      if (ending === "stall") return new Promise<void>(() => {});
      teardown.abort();
      if (ending === "close") controller.close();
      else controller.error(new TypeError("The connection was lost while the body was read"));
    },
    cancel: () => teardown.abort(),
  }, { highWaterMark: 0 });
}
