/**
 * Makes a web stream of a Node stream. It does not read ahead. Cancelling it destroys the Node stream.
 *
 * `Readable.toWeb` cannot replace it: in Deno 2.9 its stream enqueues even after it was cancelled, in an
 * event handler whose error cannot be caught.
 */
export function webStream(stream: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const chunks = stream[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await chunks.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: async () => void await chunks.return?.(),
  }, { highWaterMark: 0 });
}
