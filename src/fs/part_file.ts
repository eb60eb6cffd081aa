import { createHash } from "node:crypto";
import { type FileHandle, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ArchiveIdentity } from "../download/archive_sink.ts";
import type { ArchivePosition } from "../download/archive_source.ts";
import type { ArchiveFormat } from "../download/download_event.ts";
import type { CheckpointIds } from "../types.ts";
import { formatOf } from "./file_format.ts";
import { type ArchiveRecord, readArchiveRecord, writeRecord } from "./archive_record.ts";
import { syncDirectory } from "./directory.ts";
import { type FileStatus, IS_WINDOWS, statusOf, statusOfOpen } from "./file_status.ts";
import type { PathClaim } from "./path_claim.ts";
import { createPrivateFile, openRegularFile, readBytes, writeBytes } from "./regular_file.ts";

/** Which checkpoint a part is of, and the name of the file that it is to be. */
export type PartIdentity = CheckpointIds & Pick<ArchiveRecord, "name">;

/** The bytes of an archive that have arrived, with a record of which archive they are of. */
export interface PartFile {
  /** Which bytes an earlier save left, or `undefined` where there are none to resume from. */
  readonly position: ArchivePosition | undefined;
  /** Takes more bytes. `archive` is what they are of. */
  append(bytes: Uint8Array, archive: ArchiveIdentity): Promise<void>;
  /** Drops all bytes. */
  restart(): Promise<void>;
  /** Reads all bytes. */
  bytes(): AsyncIterable<Uint8Array>;
  /** Makes sure that the file has all bytes, no others, and that they outlive a power failure. */
  finish(): Promise<FileStatus>;
  /** What the bytes are. */
  format(): Promise<ArchiveFormat>;
  /** The SHA-256 of all bytes, in lower-case hex, or `undefined` where none was asked for. */
  sha256(): string | undefined;
  /** Sets the permissions of the file. */
  setMode(mode: number): Promise<void>;
  /** Records that the archive is complete, and which file it becomes; not where it has no tag. */
  recordFile(file: FileStatus): Promise<void>;
  /** Closes the file. */
  close(): Promise<void>;
  /** Closes the file, and removes it unless it can be resumed from. */
  park(): Promise<void>;
  /** Closes and removes the file. */
  remove(): Promise<void>;
}

/**
 * As much goes to the disk at a time: in Deno 2.9 a write of 64 KiB costs more than twice as much a
 * byte, and `writev` more than that.
 */
const BATCH_BYTES = 1024 ** 2;

/** How many bytes are written between two syncs, … */
const SYNC_BYTES = 64 * 1024 ** 2;

/** … or for how many milliseconds, where the network is slow. A crash costs as much. */
const SYNC_MS = 200;

/** Where the part is in the directory of a path's state. */
export function partPath(directory: string): string {
  return join(directory, "part");
}

/** Where the record of the part is. */
export function partRecordPath(directory: string): string {
  return join(directory, "part.json");
}

/** Removes a part and its record. */
export async function removePart(directory: string): Promise<void> {
  const recordPath = partRecordPath(directory);
  if (await statusOf(recordPath) !== undefined) {
    // First, and for good: bytes of one archive must never be found beside the record of another.
    await rm(recordPath);
    await syncDirectory(directory);
  }
  await rm(partPath(directory), { force: true });
}

/**
 * Opens the part of a path's state, with the bytes that an earlier save left if the record says which
 * archive they are of, and the file is one that only this user has written to.
 *
 * @param isHashed Whether to compute the SHA-256.
 * @param signal Ends all reading.
 */
export async function openPartFile(
  claim: PathClaim,
  { name, trainingRunId, checkpointId }: PartIdentity,
  isHashed: boolean,
  signal: AbortSignal,
): Promise<PartFile> {
  const { directory } = claim;
  const recordPath = partRecordPath(directory);
  const newHash = () => isHashed ? createHash("sha256") : undefined;
  const record = await readArchiveRecord(recordPath, { trainingRunId, checkpointId });
  const found = record && await openTrusted(claim, record);
  const position = record && found &&
    { loaded: record.synced, total: record.total, etag: record.etag };

  let identity: ArchiveIdentity = { etag: position?.etag, total: position?.total };
  let hash = newHash();
  /** How many bytes the file has. What an earlier save wrote beyond them is written again. */
  let length = position?.loaded ?? 0;
  /** How many of them are known to be on the disk, and recorded. */
  let synced = length;
  let syncedAt = performance.now();
  let syncing: Promise<void> | undefined;
  let hasSyncFailed = false;
  /** One is filled while the other is written. */
  let filling = new Uint8Array(BATCH_BYTES);
  let spare = new Uint8Array(BATCH_BYTES);
  let filled = 0;
  let written: Promise<void> = Promise.resolve();

  const create = async (): Promise<FileHandle> => {
    await removePart(directory);
    identity = { etag: undefined, total: undefined };
    length = synced = filled = 0;
    hash = newHash();
    return await createPrivateFile(partPath(directory));
  };

  const write = async (bytes: Uint8Array) => {
    await claim.requireHeld();
    await writeBytes(file, bytes, length);
    length += bytes.byteLength;
  };

  /** Begins to write what was filled in, once what was written before is. */
  const writeBatch = async () => {
    await written;
    const batch = filling.subarray(0, filled);
    [filling, spare] = [spare, filling];
    filled = 0;
    written = write(batch);
    written.catch(() => {}); // What awaits it next fails.
  };

  const flush = async () => {
    await writeBatch();
    await written;
    await syncing;
  };

  const recordArchive = async (facts: Pick<ArchiveRecord, "synced" | "total" | "file">) => {
    const { etag } = identity;
    if (etag === undefined) return;
    await claim.requireHeld();
    await writeRecord(recordPath, { name, trainingRunId, checkpointId, etag, ...facts });
  };

  /** Runs a sync; after one that failed, no other is believed, though fsync(2) may report success. */
  const trusted = async (sync: () => Promise<void>) => {
    if (hasSyncFailed) throw new Error("the disk failed before");
    try {
      await sync();
    } catch (error) {
      hasSyncFailed = true;
      throw error;
    }
  };

  /** Makes sure that the disk has what is written so far, and records how much that is. */
  const sync = async () => {
    const reached = length;
    await trusted(() => file.datasync());
    await recordArchive({ synced: reached, total: identity.total });
    synced = reached;
    syncedAt = performance.now();
  };

  /** Syncs, while more is written, when it is time to and a later save could use it. */
  const syncInBackground = async () => {
    if (hasSyncFailed) await syncing;
    const isDue = length - synced >= SYNC_BYTES || performance.now() - syncedAt >= SYNC_MS;
    if (identity.etag === undefined || syncing !== undefined || !isDue) return;
    await writeBatch();
    syncing = written.then(sync).then(() => syncing = undefined);
    syncing.catch(() => hasSyncFailed = true);
  };

  let file = found ?? await create();
  let closed: FileHandle | undefined;
  const close = async () => {
    await syncing?.catch(() => {});
    if (closed !== file) await file.close();
    closed = file;
  };
  const remove = async () => {
    await close();
    await claim.confirm();
    await removePart(directory);
  };
  try {
    for await (const chunk of hash === undefined ? [] : readBytes(file, length, signal)) {
      hash?.update(chunk);
    }
  } catch (error) {
    await file.close();
    throw error;
  }

  return {
    position,
    async append(bytes, archive) {
      identity = { etag: archive.etag, total: archive.total };
      hash?.update(bytes);
      for (let from = 0; from < bytes.byteLength;) {
        const taken = bytes.subarray(from, from + BATCH_BYTES - filled);
        filling.set(taken, filled);
        filled += taken.byteLength;
        from += taken.byteLength;
        if (filled === BATCH_BYTES) await writeBatch();
      }
      await syncInBackground();
    },
    async restart() {
      await written;
      await close();
      // A new file: a suspended process may still have a write to the old one under way.
      file = await create();
    },
    async *bytes() {
      await flush();
      yield* readBytes(file, length, signal);
    },
    async finish() {
      await flush();
      if ((await statusOfOpen(file)).size > length) await file.truncate(length);
      await trusted(() => file.sync());
      return await statusOfOpen(file);
    },
    format: () => formatOf(file),
    sha256: () => hash?.copy().digest("hex"),
    setMode: (mode) => file.chmod(mode),
    async recordFile({ size, mtimeMs }) {
      if (identity.etag === undefined) return;
      await recordArchive({ synced: length, total: length, file: { size, mtimeMs } });
      synced = length;
    },
    close,
    async park() {
      try {
        await claim.confirm();
        await flush().catch(() => {}); // Of a write that failed, those before it count.
        if (identity.etag !== undefined && length > synced) await sync().catch(() => {});
      } finally {
        await close();
      }
      if (synced === 0) await removePart(directory);
    },
    remove,
  };
}

/** Opens a part if it is one's own, no other user could write to it, and it has what was synced. */
function openTrusted(
  { directory, uid }: PathClaim,
  { synced, total = Infinity }: ArchiveRecord,
): Promise<FileHandle | undefined> {
  if (synced === 0 || synced > total) return Promise.resolve(undefined);
  return openRegularFile(
    partPath(directory),
    "write",
    (part) =>
      part.links === 1 && !part.isWritableByOthers && part.size >= synced &&
      (IS_WINDOWS || part.uid === uid),
  );
}
