// This module is browser compatible.

import { type ArchiveEnd, archiveEnd } from "./archive_end.ts";

/** Finds out whether the bytes of an archive reach its end, even if they come from several sources. */
export interface ArchiveFollower {
  /**
   * Moves to a byte of the archive: does nothing if it is there already, else reads the bytes before.
   *
   * @param loaded The number of the byte.
   * @param received Reads the bytes before it; missing where that is impossible.
   * @returns Whether it could; else it follows nothing.
   */
  begin(
    loaded: number,
    received: (() => AsyncIterable<Uint8Array> | Iterable<Uint8Array>) | undefined,
  ): Promise<boolean>;
  /** Takes the next bytes, which may be used again once it resolves. */
  write(chunk: Uint8Array): Promise<void>;
  /** Resolves to whether the bytes reach the archive's end. More bytes need another `begin`. */
  hasEnded(): Promise<boolean>;
  /** Stops following the archive. */
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
      end = undefined;
      return await closing?.close() ?? false;
    },
    drop,
  };
}
