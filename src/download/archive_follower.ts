// This module is browser compatible.

import { type ArchiveEndDetector, archiveEndDetector } from "./archive_end_detector.ts";

/** Detects whether bytes from one or several sources reach the end of an archive. */
export interface ArchiveFollower {
  /**
   * Begins at a byte of the archive: reads the bytes before it, unless it has followed them already.
   *
   * @param loaded How many bytes come before.
   * @param readBack Reads the bytes before; `undefined` where that is impossible.
   * @returns Whether it follows the archive from that byte on.
   */
  begin(
    loaded: number,
    readBack: (() => AsyncIterable<Uint8Array> | Iterable<Uint8Array>) | undefined,
  ): Promise<boolean>;
  /** Takes the next bytes, which may be reused once it resolves. */
  write(chunk: Uint8Array): Promise<void>;
  /** Ends, and resolves to whether the bytes reach the archive's end. More bytes need another `begin`. */
  close(): Promise<boolean>;
  /** Stops, and releases its resources. */
  drop(): void;
}

/** Makes a follower. */
export function archiveFollower(): ArchiveFollower {
  let detector: ArchiveEndDetector | undefined;
  let followedBytes = 0;

  const drop = () => {
    detector?.abort();
    detector = undefined;
    followedBytes = 0;
  };

  const write = async (chunk: Uint8Array) => {
    followedBytes += chunk.byteLength;
    await detector?.write(chunk);
  };

  return {
    async begin(loaded, readBack) {
      if (detector !== undefined && followedBytes === loaded && loaded > 0) return true;
      drop();
      if (loaded > 0 && readBack === undefined) return false;
      detector = archiveEndDetector();
      for await (const chunk of loaded > 0 && readBack ? readBack() : []) {
        await write(chunk.subarray(0, loaded - followedBytes));
        if (followedBytes === loaded) break;
      }
      return followedBytes === loaded;
    },
    write,
    async close() {
      const current = detector;
      detector = undefined;
      return await current?.close() ?? false;
    },
    drop,
  };
}
