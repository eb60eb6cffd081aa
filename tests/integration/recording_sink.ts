/** A sink that records what happens to it. */
export class RecordingSink {
  /** The stream of the sink. */
  readonly writable: WritableStream<Uint8Array>;
  /** Settles with the reason when the sink is aborted. */
  readonly whenAborted: Promise<unknown>;
  #loaded = 0;
  #isClosed = false;

  /** Creates a sink; each write takes until the promise of `onWrite` settles. */
  constructor(onWrite: (chunk: Uint8Array) => Promise<void> | void = () => {}) {
    const aborted = Promise.withResolvers<unknown>();
    this.whenAborted = aborted.promise;
    this.writable = new WritableStream({
      write: async (chunk) => {
        this.#loaded += chunk.byteLength;
        await onWrite(chunk);
      },
      close: () => {
        this.#isClosed = true;
      },
      abort: (reason) => aborted.resolve(reason),
    });
  }

  /** How many bytes were written. */
  get loaded(): number {
    return this.#loaded;
  }

  /** Whether the sink was closed, which marks its data as complete. */
  get isClosed(): boolean {
    return this.#isClosed;
  }
}
