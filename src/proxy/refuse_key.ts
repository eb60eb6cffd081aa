import { concat } from "../download/concat.ts";

/** Fewer bytes than these occur in any large archive by chance. */
const MIN_KEY_BYTES = 8;

/**
 * Ends a body with an error before the first byte of the key in it.
 *
 * So a server that repeats the request in place of an archive does not reveal the key. Chunks without the
 * beginning of the key are enqueued without a copy, with the reader's backpressure.
 *
 * @param makeError Makes the error.
 */
export function refuseKey(
  body: ReadableStream<Uint8Array>,
  apiKey: string,
  makeError: () => Error,
): ReadableStream<Uint8Array> {
  // One byte for each character, as in a header.
  const key = Uint8Array.from(apiKey, (character) => character.charCodeAt(0));
  if (key.byteLength < MIN_KEY_BYTES) return body;
  const reader = body.getReader();
  /** The last bytes, if they can be the beginning of the key. */
  let tail = new Uint8Array(0);
  return new ReadableStream({
    async pull(controller) {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) {
          if (tail.byteLength > 0) controller.enqueue(tail);
          return controller.close();
        }
        const bytes = concat(tail, value);
        const start = findKey(bytes, key);
        if (start + key.byteLength <= bytes.byteLength) {
          const error = makeError();
          reader.cancel(error).catch(() => {});
          throw error;
        }
        tail = bytes.slice(start);
        if (start > 0) return controller.enqueue(bytes.subarray(0, start));
      }
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}

/** Returns where the key, or a beginning of it at the end of the bytes, begins; else their length. */
function findKey(bytes: Uint8Array, key: Uint8Array): number {
  const [first = 0] = key;
  for (let at = bytes.indexOf(first); at >= 0; at = bytes.indexOf(first, at + 1)) {
    if (key.every((byte, index) => byte === (bytes[at + index] ?? byte))) return at;
  }
  return bytes.byteLength;
}
