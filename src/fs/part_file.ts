import { createHash } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { open, rm } from "node:fs/promises";
import type { ArchivePosition } from "../download/archive_source.ts";
import type { CheckpointIds } from "../types.ts";
import { syncDirectory } from "./directory.ts";
import type { PathLock } from "./path_lock.ts";
import { readSidecar, removeSidecar, type Sidecar, writeSidecar } from "./sidecar.ts";

/** Which archive it is. */
export type ArchiveIdentity = Pick<ArchivePosition, "etag" | "total">;

/** A file that grows, together with a sidecar that says which archive its bytes are of. */
export interface PartFile {
  /** Which bytes an earlier process left, or `undefined` where there are none to go on with. */
  readonly position: ArchivePosition | undefined;
  /** Takes more bytes; the disk has them after `flush`. `archive` is what they are of. */
  append(bytes: Uint8Array, archive: ArchiveIdentity): Promise<void>;
  /** Writes what waits. */
  flush(): Promise<void>;
  /** Drops all bytes. */
  startOver(): Promise<void>;
  /** Makes sure that the bytes outlive a power failure. Gives their number and the time of the last write, in ms. */
  sync(): Promise<{ readonly size: number; readonly mtimeMs: number }>;
  /** The hash of all bytes, in lower-case hex, or `undefined` where none was asked for. */
  sha256(): string | undefined;
  /** Whether another process can go on with the bytes. */
  canBeGoneOnWith(): boolean;
  /** Writes what waits, unless a write has failed, and closes the file. */
  close(): Promise<void>;
  /** Removes what is left of file and sidecar. */
  remove(): Promise<void>;
}

/**
 * As much goes to the disk at a time: in Deno 2.9 a write of 64 KiB costs more than twice as much a
 * byte, and `writev` more than that. It is also what a process that is killed may lose, …
 */
const BATCH_BYTES = 1024 ** 2;

/** … or, where the network is slow, what has come in since this many milliseconds. */
const BATCH_MS = 100;

/**
 * Opens the part of a file, and takes over what an earlier process left if the sidecar says what it is.
 *
 * @param path The part's own path; the sidecar's is that with `.json`.
 * @param lock Is asked before each change.
 */
export async function openPartFile(
  path: string,
  checkpoint: CheckpointIds,
  lock: PathLock,
  isHashed: boolean,
  signal: AbortSignal,
): Promise<PartFile> {
  const sidecarPath = `${path}.json`;
  const newHash = () => isHashed ? createHash("sha256") : undefined;
  const file = await open(path, constants.O_RDWR | constants.O_CREAT);
  let hash = newHash();
  let recorded: Sidecar | undefined;
  /** How many bytes the file has. */
  let length = 0;
  /** One is filled while the other is written. */
  let filling = new Uint8Array(BATCH_BYTES);
  let spare = new Uint8Array(BATCH_BYTES);
  let filled = 0;
  let batchBegunAt = performance.now();
  let written: Promise<void> = Promise.resolve();

  const write = async (bytes: Uint8Array) => {
    await lock.requireHeld();
    for (let from = 0; from < bytes.byteLength;) {
      const rest = bytes.byteLength - from;
      const { bytesWritten } = await file.write(bytes, from, rest, length);
      from += bytesWritten;
      length += bytesWritten;
    }
  };

  /** Begins to write what was filled in, once what was written before is. */
  const writeBatch = async () => {
    await written;
    const batch = filling.subarray(0, filled);
    [filling, spare] = [spare, filling];
    filled = 0;
    batchBegunAt = performance.now();
    written = write(batch);
    written.catch(() => {}); // Whoever awaits it next fails.
  };

  const flush = async () => {
    await writeBatch();
    await written;
  };

  const record = async ({ etag, total }: ArchiveIdentity) => {
    const { trainingRunId, checkpointId } = checkpoint;
    recorded = etag === undefined ? undefined : { trainingRunId, checkpointId, etag, total };
    if (recorded !== undefined) await writeSidecar(sidecarPath, recorded);
  };

  const startOver = async () => {
    await written;
    await lock.requireHeld();
    // First, and for good: bytes of one archive must never be found beside the tag of another.
    recorded = undefined;
    await removeSidecar(sidecarPath);
    await syncDirectory(path);
    await file.truncate(0);
    length = filled = 0;
    hash = newHash();
  };

  const takeOver = async (): Promise<ArchivePosition | undefined> => {
    const { size } = await file.stat();
    const sidecar = await readSidecar(sidecarPath, checkpoint);
    if (sidecar === undefined || size === 0 || size > (sidecar.total ?? Infinity)) {
      // Even an empty one: beside it may be the sidecar of another checkpoint.
      await startOver();
      return undefined;
    }
    recorded = sidecar;
    length = size;
    for await (const chunk of hash ? createReadStream(path, { signal }) : []) hash?.update(chunk);
    return { loaded: size, total: sidecar.total, etag: sidecar.etag };
  };

  try {
    const position = await takeOver();
    return {
      position,
      async append(bytes, archive) {
        if (archive.etag !== recorded?.etag || archive.total !== recorded?.total) {
          await record(archive);
        }
        hash?.update(bytes);
        for (let from = 0; from < bytes.byteLength;) {
          const taken = bytes.subarray(from, from + BATCH_BYTES - filled);
          filling.set(taken, filled);
          filled += taken.byteLength;
          from += taken.byteLength;
          if (filled === BATCH_BYTES) await writeBatch();
        }
        if (performance.now() - batchBegunAt >= BATCH_MS) await writeBatch();
      },
      flush,
      startOver,
      async sync() {
        await file.sync();
        return await file.stat();
      },
      sha256: () => hash?.copy().digest("hex"),
      canBeGoneOnWith: () => length > 0 && recorded !== undefined,
      async close() {
        try {
          await flush();
        } finally {
          // Of a write that failed, some bytes may be there.
          length = (await file.stat()).size;
          await file.close();
        }
      },
      async remove() {
        await rm(path, { force: true });
        await removeSidecar(sidecarPath);
      },
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}
