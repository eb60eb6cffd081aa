// This module is browser compatible.

import { type ArchiveEnd, archiveEnd } from "./archive_end.ts";

/** Finds out whether the bytes of an archive reach its end, also where they come from many sources. */
export interface ArchiveFollower {
  /**
   * Takes up the archive at a byte: goes on where it is there already, else reads what comes before.
   *
   * @param loaded Which byte.
   * @param received Reads the bytes before it; missing where that cannot be done.
   * @returns Whether it could; else it knows nothing of the archive.
   */
  begin(
    loaded: number,
    received: (() => AsyncIterable<Uint8Array> | Iterable<Uint8Array>) | undefined,
  ): Promise<boolean>;
  /** Takes the next bytes; resolves once they are processed. */
  write(chunk: Uint8Array): Promise<void>;
  /** Resolves to whether they reach the archive's end. More bytes need another `begin`. */
  hasEnded(): Promise<boolean>;
  /** Lets go of the archive. */
  drop(): void;
}

/** Makes a follower. */
export function archiveFollower(): ArchiveFollower {
  let end: ArchiveEnd | undefined;
  let followed = 0;

  const drop = () => {
    end?.abort();
    end = undefined;
    followed = 0;
  };

  const write = async (chunk: Uint8Array) => {
    followed += chunk.byteLength;
    await end?.write(chunk);
  };

  return {
    async begin(loaded, received) {
      if (end !== undefined && followed === loaded && loaded > 0) return true;
      drop();
      if (loaded > 0 && received === undefined) return false;
      end = archiveEnd();
      for await (const chunk of loaded > 0 && received ? received() : []) {
        await write(chunk.subarray(0, loaded - followed));
        if (followed === loaded) break;
      }
      return followed === loaded;
    },
    write,
    async hasEnded() {
      const closing = end;
      // Closed, it takes no more bytes.
      end = undefined;
      return await closing?.close() ?? false;
    },
    drop,
  };
}
