import type { FileHandle } from "node:fs/promises";
import type { ArchiveIdentity } from "../download/archive_sink.ts";
import type { ArchivePosition } from "../download/archive_source.ts";
import type { ArchiveFormat } from "../download/download_event.ts";
import type { CheckpointIds } from "../types.ts";
import { type ArchiveRecord, readArchiveRecord, writeRecord } from "./archive_record.ts";
import { type BackgroundSync, backgroundSync } from "./background_sync.ts";
import { type BatchedWriter, batchedWriter } from "./batched_writer.ts";
import { type FileDigest, fileDigest } from "./file_digest.ts";
import { detectFormat } from "./file_format.ts";
import { type FileStatus, IS_WINDOWS, statusOfOpen } from "./file_status.ts";
import type { PathClaim } from "./path_claim.ts";
import { createPrivateFile, openRegularFile, readBytes } from "./regular_file.ts";
import { partPath, partRecordPath, removePart } from "./save_state.ts";

/** The checkpoint of a part, and the name of its file. */
export type PartIdentity = CheckpointIds & Pick<ArchiveRecord, "name">;

/** The received bytes of an archive, with a record that identifies the archive. */
export interface PartFile {
  /** The position that an earlier save reached; `undefined` where there is nothing to resume. */
  readonly position: ArchivePosition | undefined;
  /** Sets the archive that the next bytes belong to. */
  begin(archive: ArchiveIdentity): void;
  /** Appends bytes. */
  append(bytes: Uint8Array): Promise<void>;
  /** Drops all bytes. */
  restart(): Promise<void>;
  /** Reads all bytes. */
  bytes(): AsyncIterable<Uint8Array>;
  /** Writes and syncs all bytes, so that the file has these bytes and no others. */
  finish(): Promise<FileStatus>;
  /** Detects the format of the bytes. */
  format(): Promise<ArchiveFormat>;
  /** Returns the SHA-256 of all bytes in lower-case hex; `undefined` where the option is off. */
  sha256(): string | undefined;
  /** Sets the permissions of the file. */
  setMode(mode: number): Promise<void>;
  /**
   * Records that the archive is complete, and which file it becomes.
   *
   * @returns Whether there is a record; `false` where the archive has no entity tag.
   */
  recordFile(file: FileStatus): Promise<boolean>;
  /** Closes the file. */
  close(): Promise<void>;
  /** Syncs and closes the file, so that a later save can resume; removes it where that is impossible. */
  closeForResume(): Promise<void>;
  /** Closes and removes the file. */
  remove(): Promise<void>;
}

/** The file with a part's bytes. A restart creates another one. */
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
 * Opens the part in a path's state.
 *
 * The bytes of an earlier save are kept if its record identifies their archive and only this user can
 * have written to the file.
 *
 * @param hasDigest Whether to compute the SHA-256.
 * @param signal Aborts all reading.
 */
export async function openPartFile(
  claim: PathClaim,
  { name, trainingRunId, checkpointId }: PartIdentity,
  hasDigest: boolean,
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
      await sync.waitForSync().catch(() => {});
      await file.close();
    };
    return { file, digest, writer, sync, close: () => closing ??= close() };
  };

  const create = async (): Promise<PartContent> => {
    await removePart(directory);
    archive = UNKNOWN_ARCHIVE;
    return contentOf(await createPrivateFile(partPath(directory)), 0, fileDigest(hasDigest));
  };

  const resume = async ({ file, position }: FoundPart): Promise<PartContent> => {
    const digest = fileDigest(hasDigest);
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
    await content.sync.waitForSync();
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
      await content.writer.waitForWrites();
      await content.sync.waitForSync();
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
    format: () => detectFormat(content.file),
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
    async closeForResume() {
      const { writer, sync } = content;
      try {
        await claim.confirm();
        await flush().catch(() => {}); // After a failed write, the bytes before it are kept.
        const isResumable = archive.etag !== undefined;
        if (isResumable && writer.length() > sync.syncedBytes()) await sync.sync().catch(() => {});
      } finally {
        await content.close();
      }
      if (sync.syncedBytes() === 0) await removePart(directory);
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

/** Opens a part if its record names the checkpoint, and only this user could write to it. */
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
