/**
 * A web stream of what a Node stream gives, which reads nothing ahead. Cancelling it destroys the
 * Node stream.
 *
 * Not `Readable.toWeb`, because in Deno 2.9 a cancelled one goes on to enqueue, in an event handler
 * where nobody can catch what that throws.
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
