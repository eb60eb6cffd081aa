import type { FileHandle } from "node:fs/promises";
import type { ArchiveIdentity } from "../download/archive_sink.ts";
import type { ArchivePosition } from "../download/archive_source.ts";
import type { ArchiveFormat } from "../download/download_event.ts";
import type { CheckpointIds } from "../types.ts";
import { type ArchiveRecord, readArchiveRecord, writeRecord } from "./archive_record.ts";
import { type BackgroundSync, backgroundSync } from "./background_sync.ts";
import { type BatchedWriter, batchedWriter } from "./batched_writer.ts";
import { type FileDigest, fileDigest } from "./file_digest.ts";
import { formatOf } from "./file_format.ts";
import { type FileStatus, IS_WINDOWS, statusOfOpen } from "./file_status.ts";
import type { PathClaim } from "./path_claim.ts";
import { createPrivateFile, openRegularFile, readBytes } from "./regular_file.ts";
import { partPath, partRecordPath, removePart } from "./save_state.ts";

/** Which checkpoint a part is of, and the name of the file that it is to be. */
export type PartIdentity = CheckpointIds & Pick<ArchiveRecord, "name">;

/** The bytes of an archive that have arrived, with a record of which archive they are of. */
export interface PartFile {
  /** Which bytes an earlier save left, or `undefined` where there are none to resume from. */
  readonly position: ArchivePosition | undefined;
  /** Receives which archive the next bytes are of. */
  begin(archive: ArchiveIdentity): void;
  /** Takes more bytes. */
  append(bytes: Uint8Array): Promise<void>;
  /** Drops all bytes. */
  restart(): Promise<void>;
  /** Reads all bytes. */
  bytes(): AsyncIterable<Uint8Array>;
  /** Makes sure that the file has all bytes, no others, and that they outlive a power failure. */
  finish(): Promise<FileStatus>;
  /** Detects the format of the bytes. */
  format(): Promise<ArchiveFormat>;
  /** The SHA-256 of all bytes in lower-case hex, or `undefined` where none is wanted. */
  sha256(): string | undefined;
  /** Sets the permissions of the file. */
  setMode(mode: number): Promise<void>;
  /**
   * Records that the archive is complete, and which file it becomes.
   *
   * @returns Whether there is a record: not where the archive has no entity tag.
   */
  recordFile(file: FileStatus): Promise<boolean>;
  /** Closes the file. */
  close(): Promise<void>;
  /** Closes the file, and removes it unless a later save can resume from it. */
  park(): Promise<void>;
  /** Closes and removes the file. */
  remove(): Promise<void>;
}

/** The file that has a part's bytes. A restart begins another one. */
interface PartContent {
  readonly file: FileHandle;
  readonly digest: FileDigest;
  readonly writer: BatchedWriter;
  readonly sync: BackgroundSync;
  /** Closes the file once no sync is in flight. */
  close(): Promise<void>;
}

const UNKNOWN_ARCHIVE: ArchiveIdentity = { etag: undefined, total: undefined };

/**
 * Opens the part of a path's state, with the bytes that an earlier save left if its record identifies
 * their archive, and only this user can have written to the file.
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
  let archive = UNKNOWN_ARCHIVE;

  const writeArchiveRecord = async (
    facts: Pick<ArchiveRecord, "synced" | "total" | "file">,
  ): Promise<boolean> => {
    const { etag } = archive;
    if (etag === undefined) return false;
    await claim.requireHeld();
    const record: ArchiveRecord = { name, trainingRunId, checkpointId, etag, ...facts };
    await writeRecord(partRecordPath(directory), record);
    return true;
  };

  const contentOf = (file: FileHandle, byteLength: number, digest: FileDigest): PartContent => {
    const writer = batchedWriter(file, byteLength, claim.requireHeld);
    const sync = backgroundSync(
      file,
      writer,
      async (synced) => void await writeArchiveRecord({ synced, total: archive.total }),
    );
    let closing: Promise<void> | undefined;
    const close = async (): Promise<void> => {
      await sync.settled().catch(() => {});
      await file.close();
    };
    return { file, digest, writer, sync, close: () => closing ??= close() };
  };

  const create = async (): Promise<PartContent> => {
    await removePart(directory);
    archive = UNKNOWN_ARCHIVE;
    return contentOf(await createPrivateFile(partPath(directory)), 0, fileDigest(isHashed));
  };

  const resume = async ({ file, position }: FoundPart): Promise<PartContent> => {
    const digest = fileDigest(isHashed);
    try {
      await digest.updateFrom(file, position.loaded, signal);
    } catch (error) {
      await file.close();
      throw error;
    }
    archive = position;
    // What an earlier save wrote beyond the synced bytes is written again.
    return contentOf(file, position.loaded, digest);
  };

  const found = await findPart(claim, { trainingRunId, checkpointId });
  let content = found === undefined ? await create() : await resume(found);

  const flush = async (): Promise<void> => {
    await content.writer.flush();
    await content.sync.settled();
  };

  return {
    position: found?.position,
    begin: ({ etag, total }) => archive = { etag, total },
    async append(bytes) {
      content.digest.update(bytes);
      await content.writer.append(bytes);
      // Without an entity tag no later save can use what is synced.
      if (archive.etag !== undefined) await content.sync.beginIfDue();
    },
    async restart() {
      await content.writer.settled();
      await content.sync.settled();
      await content.close();
      // A new file: a suspended process may still have a write to the old one in flight.
      content = await create();
    },
    async *bytes() {
      await flush();
      yield* readBytes(content.file, content.writer.length(), signal);
    },
    async finish() {
      await flush();
      const { file, writer, sync } = content;
      if ((await statusOfOpen(file)).size > writer.length()) await file.truncate(writer.length());
      await sync.syncFile();
      return await statusOfOpen(file);
    },
    format: () => formatOf(content.file),
    sha256: () => content.digest.sha256(),
    setMode: (mode) => content.file.chmod(mode),
    async recordFile({ size, mtimeMs }) {
      const { writer, sync } = content;
      const length = writer.length();
      const facts = { synced: length, total: length, file: { size, mtimeMs } };
      const hasRecord = await writeArchiveRecord(facts);
      if (hasRecord) sync.markSynced();
      return hasRecord;
    },
    close: () => content.close(),
    async park() {
      const { writer, sync } = content;
      try {
        await claim.confirm();
        await flush().catch(() => {}); // Of a write that failed, those before it count.
        const isResumable = archive.etag !== undefined;
        if (isResumable && writer.length() > sync.synced()) await sync.sync().catch(() => {});
      } finally {
        await content.close();
      }
      if (sync.synced() === 0) await removePart(directory);
    },
    async remove() {
      await content.close();
      await claim.confirm();
      await removePart(directory);
    },
  };
}

/** A part that an earlier save left. */
interface FoundPart {
  readonly file: FileHandle;
  readonly position: ArchivePosition;
}

/** Opens a part if its record is of the checkpoint, no other user could write to it, and it has what was synced. */
async function findPart(
  { directory, uid }: PathClaim,
  checkpoint: CheckpointIds,
): Promise<FoundPart | undefined> {
  const record = await readArchiveRecord(partRecordPath(directory), checkpoint);
  if (record === undefined) return undefined;
  const { synced, total, etag } = record;
  if (synced === 0 || synced > (total ?? Infinity)) return undefined;
  const file = await openRegularFile(
    partPath(directory),
    "write",
    (part) =>
      part.links === 1 && !part.isWritableByOthers && part.size >= synced &&
      (IS_WINDOWS || part.uid === uid),
  );
  return file && { file, position: { loaded: synced, total, etag } };
}
