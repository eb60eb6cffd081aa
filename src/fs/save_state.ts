/** What a save leaves in the directory of a path's state; docs/design/saving.md lists it. */
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { CheckpointIds } from "../types.ts";
import { type ArchiveRecord, isUnchanged, readArchiveRecord } from "./archive_record.ts";
import { syncDirectory } from "./directory.ts";
import { statusOf } from "./file_status.ts";

/** Where the bytes are that have arrived. */
export function partPath(directory: string): string {
  return join(directory, "part");
}

/** Where the record of the part is. */
export function partRecordPath(directory: string): string {
  return join(directory, "part.json");
}

/** Where an archive is whose format the file's name does not allow, after its conversion. */
export function convertedPath(directory: string): string {
  return join(directory, "converted");
}

/** Where the record of the file under its final name is. */
export function fileRecordPath(directory: string): string {
  return join(directory, "file.json");
}

/** What earlier saves left of a checkpoint. */
export interface SaveState {
  /** The record of the file at the path, where it is that checkpoint's archive and unchanged. */
  readonly saved: ArchiveRecord | undefined;
  /** Whether a save has begun that has not ended. */
  readonly hasPart: boolean;
}

/** Finds what earlier saves left; completes one that ended right after the file had got its name. */
export async function findSaveState(
  path: string,
  checkpoint: CheckpointIds,
  directory: string,
): Promise<SaveState> {
  const file = await statusOf(path);
  const partRecord = await readArchiveRecord(partRecordPath(directory), checkpoint);
  if (partRecord !== undefined && isUnchanged(partRecord, file)) {
    await retirePart(directory, true);
    return { saved: partRecord, hasPart: false };
  }
  const record = await readArchiveRecord(fileRecordPath(directory), checkpoint);
  const isSaved = record !== undefined && isUnchanged(record, file);
  return { saved: isSaved ? record : undefined, hasPart: partRecord !== undefined };
}

/** Removes a part whose archive has got its name. The part's record, if any, becomes the file's. */
export async function retirePart(directory: string, hasRecord: boolean): Promise<void> {
  if (hasRecord) await rename(partRecordPath(directory), fileRecordPath(directory));
  else await rm(fileRecordPath(directory), { force: true });
  await removeUnnamed(directory);
}

/** Removes what has no final name yet, or has got it as a second one. */
export async function removeUnnamed(directory: string): Promise<void> {
  await removePart(directory);
  await rm(convertedPath(directory), { force: true });
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
