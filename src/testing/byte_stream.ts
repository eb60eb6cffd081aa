// This module is browser compatible.

/** Bytes that can be read from any position. A `Uint8Array` is one. */
export interface ByteSource {
  /** How many bytes there are. */
  readonly byteLength: number;
  /** A copy of the bytes from `start` up to, not with, `end`. */
  slice(start: number, end: number): Uint8Array<ArrayBuffer>;
}

/** What happens after a stream's last byte: it closes, breaks off, or never says anything again. */
export type StreamEnding = "close" | "error" | "stall";

/** Few enough bytes to keep back-pressure tight, enough of them to spread the cost of a chunk. */
const CHUNK_BYTES = 256 * 1024;

/** The part of `source` from `start` up to, not with, `end`. */
export function byteRange(source: ByteSource, start: number, end: number): ByteSource {
  return {
    byteLength: end - start,
    slice: (from, to) => source.slice(start + from, start + to),
  };
}

/**
 * Reads `source` from its beginning as a stream, each chunk made when it is asked for.
 *
 * @param source What to read.
 * @param ending What happens after the last byte.
 * @param signal Errors the stream with the signal's reason, as `fetch` does with a body under way.
 */
export function byteStream(
  source: ByteSource,
  ending: StreamEnding = "close",
  signal?: AbortSignal,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let position = 0;
  let onAbort: () => void = () => {};
  const release = () => signal?.removeEventListener("abort", onAbort);
  const finish = (controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>) => {
    if (ending === "stall") return new Promise<void>(() => {});
    release();
    if (ending === "close") controller.close();
    else controller.error(new TypeError("The connection was lost while the body was read"));
  };
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      onAbort = () => controller.error(signal?.reason);
      if (signal?.aborted) onAbort();
      else signal?.addEventListener("abort", onAbort, { once: true });
    },
    pull(controller) {
      const end = Math.min(position + CHUNK_BYTES, source.byteLength);
      if (end === position) return finish(controller);
      controller.enqueue(source.slice(position, end));
      position = end;
      // Closing at once spares a pull. An error at once would throw the queued chunk away.
      if (end === source.byteLength && ending === "close") return finish(controller);
    },
    cancel: release,
  }, { highWaterMark: 0 });
}
