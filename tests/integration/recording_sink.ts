/** A sink that remembers what happened to it. */
export class RecordingSink {
  /** The sink itself. */
  readonly writable: WritableStream<Uint8Array>;
  /** Settles with the reason when the sink is aborted. */
  readonly aborted: Promise<unknown>;
  #loaded = 0;
  #isClosed = false;

  /** Makes a sink whose every write takes as long as `taking` does. */
  constructor(taking: (chunk: Uint8Array) => Promise<void> | void = () => {}) {
    const aborted = Promise.withResolvers<unknown>();
    this.aborted = aborted.promise;
    this.writable = new WritableStream({
      write: async (chunk) => {
        this.#loaded += chunk.byteLength;
        await taking(chunk);
      },
      close: () => {
        this.#isClosed = true;
      },
      abort: (reason) => aborted.resolve(reason),
    });
  }

  /** How many bytes were written to it. */
  get loaded(): number {
    return this.#loaded;
  }

  /** Whether it was closed, as a sink is that got everything. */
  get isClosed(): boolean {
    return this.#isClosed;
  }
}
