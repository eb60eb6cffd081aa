import type { ArchiveIdentity } from "./archive_sink.ts";
import type { LockedSink } from "./lock_sink.ts";

/** Writes to a sink, as its protocol demands. */
export interface SinkWriter {
  /** Gives the sink the archive that the next bytes belong to, unless the sink has it already. */
  begin(archive: ArchiveIdentity): Promise<void>;
  /** Resolves when the sink can take the next chunk. */
  ready(): Promise<void>;
  /** Writes a chunk. Resolves when the sink has taken it. */
  write(chunk: Uint8Array): Promise<void>;
  /** Makes the sink drop what it has, once it has taken what was written; if it can. */
  readonly restart: (() => Promise<void>) | undefined;
  /** Closes the sink, once it has taken what was written. */
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
