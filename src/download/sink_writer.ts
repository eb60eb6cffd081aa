import type { ArchiveIdentity } from "./archive_sink.ts";
import type { LockedSink } from "./lock_sink.ts";

/** Writes to a sink according to its protocol. */
export interface SinkWriter {
  /** Passes the archive of the next bytes to the sink, unless the sink has received it already. */
  begin(archive: ArchiveIdentity): Promise<void>;
  /** Resolves when the sink can take the next chunk. */
  ready(): Promise<void>;
  /** Writes a chunk. Resolves when the sink has taken it. */
  write(chunk: Uint8Array): Promise<void>;
  /** Waits for the last write, then makes the sink drop all bytes. `undefined` where it cannot. */
  readonly restart: (() => Promise<void>) | undefined;
  /** Closes the sink after the last write. */
  close(): Promise<void>;
}

/** Makes a writer. */
export function sinkWriter({ writer, chunks, begin, restart }: LockedSink): SinkWriter {
  let lastWrite: Promise<void> = Promise.resolve();
  let current: ArchiveIdentity | undefined;

  return {
    async begin({ etag, total }) {
      if (current !== undefined && current.etag === etag && current.total === total) return;
      await begin?.({ etag, total });
      current = { etag, total };
    },
    ready: async () => await (chunks === "borrowed" ? lastWrite : writer.ready),
    write: (chunk) => lastWrite = writer.write(chunk),
    restart: restart && (async () => {
      await lastWrite;
      await restart();
      current = undefined;
    }),
    close: () => writer.close(),
  };
}
