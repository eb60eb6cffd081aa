/** What a save leaves in the directory of a path's state; docs/design/saving.md lists it. */
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { CheckpointIds } from "../types.ts";
import { type ArchiveRecord, isUnchanged, readArchiveRecord } from "./archive_record.ts";
import { syncDirectory } from "./directory.ts";
import { statusOf } from "./file_status.ts";

/** Returns the path of the part: the received bytes of an archive. */
export function partPath(directory: string): string {
  return join(directory, "part");
}

/** Returns the path of the part's record. */
export function partRecordPath(directory: string): string {
  return join(directory, "part.json");
}

/** Returns the path of the archive after its conversion to the format of the file's name. */
export function convertedPath(directory: string): string {
  return join(directory, "converted");
}

/** Returns the path of the record of the file under its final name. */
export function fileRecordPath(directory: string): string {
  return join(directory, "file.json");
}

/** What earlier saves left of a checkpoint. */
export interface SaveState {
  /** The record of the file at the path, if the file is the checkpoint's archive and unchanged. */
  readonly fileRecord: ArchiveRecord | undefined;
  /** Whether there is a part of the checkpoint's archive. */
  readonly hasPart: boolean;
}

/** Finds what earlier saves left; completes a save that was killed right after it had named the file. */
export async function findSaveState(
  path: string,
  checkpoint: CheckpointIds,
  directory: string,
): Promise<SaveState> {
  const file = await statusOf(path);
  const partRecord = await readArchiveRecord(partRecordPath(directory), checkpoint);
  if (partRecord !== undefined && isUnchanged(partRecord, file)) {
    await retirePart(directory, true);
    return { fileRecord: partRecord, hasPart: false };
  }
  const record = await readArchiveRecord(fileRecordPath(directory), checkpoint);
  const isSaved = record !== undefined && isUnchanged(record, file);
  return { fileRecord: isSaved ? record : undefined, hasPart: partRecord !== undefined };
}

/** Removes a part whose file has its final name. The part's record, if any, becomes the file's. */
export async function retirePart(directory: string, hasRecord: boolean): Promise<void> {
  if (hasRecord) await rename(partRecordPath(directory), fileRecordPath(directory));
  else await rm(fileRecordPath(directory), { force: true });
  await removeWorkFiles(directory);
}

/** Removes the part and the converted archive; a file that is linked to its final name keeps that name. */
export async function removeWorkFiles(directory: string): Promise<void> {
  await removePart(directory);
  await rm(convertedPath(directory), { force: true });
}

/** Removes a part and its record. */
export async function removePart(directory: string): Promise<void> {
  const recordPath = partRecordPath(directory);
  if (await statusOf(recordPath) !== undefined) {
    // Removed first and synced: bytes of one archive must never be beside the record of another.
    await rm(recordPath);
    await syncDirectory(directory);
  }
  await rm(partPath(directory), { force: true });
}
