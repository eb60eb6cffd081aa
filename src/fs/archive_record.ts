import { rename, rm } from "node:fs/promises";
import { count, field, isObject, mismatch, number, object, text } from "../json.ts";
import type { CheckpointIds } from "../types.ts";
import type { FileStatus } from "./file_status.ts";
import { createPrivateFile, openRegularFile } from "./regular_file.ts";

/** The maximum length of a record in bytes; records of this package are far shorter. */
const MAX_RECORD_BYTES = 65_536;

/**
 * Identifies the archive that a file contains or will contain. It contains no URL and no key.
 */
export interface ArchiveRecord extends CheckpointIds {
  /** The name of the file, for a person who reads the record. */
  readonly name: string;
  /** The archive's strong entity tag, quotes included. */
  readonly etag: string;
  /** The length of the archive in bytes, if the server sent it. */
  readonly total?: number | undefined;
  /** How many bytes from the start of the archive survive a power failure. */
  readonly synced: number;
  /** The file under its final name, once it is known. An edit of the file changes these values. */
  readonly file?: { readonly size: number; readonly mtimeMs: number } | undefined;
}

function toRecord(json: unknown): ArchiveRecord {
  const record = object(json);
  const { total, file } = record;
  return {
    name: field(record, "name", text),
    trainingRunId: field(record, "trainingRunId", text),
    checkpointId: field(record, "checkpointId", text),
    etag: field(record, "etag", strongTag),
    total: total === undefined ? undefined : count(total),
    synced: field(record, "synced", count),
    file: isObject(file)
      ? { size: field(file, "size", count), mtimeMs: field(file, "mtimeMs", number) }
      : undefined,
  };
}

function strongTag(value: unknown): string {
  const tag = text(value);
  if (!tag.startsWith('"')) throw mismatch("a strong entity tag", value);
  return tag;
}

/** Reads a record; resolves to `undefined` where there is none, or it is of another checkpoint. */
export async function readArchiveRecord(
  path: string,
  { trainingRunId, checkpointId }: CheckpointIds,
): Promise<ArchiveRecord | undefined> {
  const file = await openRegularFile(path, "read", ({ size }) => size <= MAX_RECORD_BYTES);
  if (file === undefined) return undefined;
  try {
    const record = toRecord(JSON.parse(await file.readFile("utf8")));
    // Two archives may have the same tag: nginx, for example, makes tags of length and time.
    const isOfCheckpoint = record.trainingRunId === trainingRunId &&
      record.checkpointId === checkpointId;
    return isOfCheckpoint ? record : undefined;
  } catch {
    return undefined; // A malformed record counts as none.
  } finally {
    await file.close();
  }
}

/** Whether a file is still the one that a record describes. */
export function isUnchanged({ file }: ArchiveRecord, found: FileStatus | undefined): boolean {
  return file !== undefined && found?.kind === "file" && file.size === found.size &&
    file.mtimeMs === found.mtimeMs;
}

/** Replaces a record atomically, so that it survives a power failure. */
export async function writeRecord(path: string, record: object): Promise<void> {
  const temporary = `${path}.tmp`;
  await rm(temporary, { force: true });
  const file = await createPrivateFile(temporary);
  try {
    await file.writeFile(`${JSON.stringify(record)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}
