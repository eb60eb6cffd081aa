/**
 * Makes a web stream of a Node stream. It reads nothing ahead; cancelling it destroys the Node stream.
 *
 * `Readable.toWeb` does not do: in Deno 2.9 a cancelled one still enqueues, in an event handler whose
 * error nothing can catch.
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
