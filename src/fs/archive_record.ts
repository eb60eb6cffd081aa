import { rename, rm } from "node:fs/promises";
import { count, field, isObject, mismatch, number, object, text } from "../json.ts";
import type { CheckpointIds } from "../types.ts";
import type { FileStatus } from "./file_status.ts";
import { createPrivateFile, openRegularFile } from "./regular_file.ts";

/** The most bytes of a record; real ones have far fewer. */
const MAX_RECORD_BYTES = 65_536;

/**
 * Identifies the archive that a file has, or is to have. It holds no URL and no key.
 */
export interface ArchiveRecord extends CheckpointIds {
  /** The name of the file, for a person who reads the record. */
  readonly name: string;
  /** The archive's strong entity tag, quotes included. */
  readonly etag: string;
  /** How many bytes the archive has, if the server sent that. */
  readonly total?: number | undefined;
  /** How many bytes of the archive, from its first one, outlive a power failure. */
  readonly synced: number;
  /** The file under its final name, once that is known; an edit changes it. */
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

/** Reads a record; resolves to `undefined` where there is none, or one of another checkpoint. */
export async function readArchiveRecord(
  path: string,
  { trainingRunId, checkpointId }: CheckpointIds,
): Promise<ArchiveRecord | undefined> {
  const file = await openRegularFile(path, "read", ({ size }) => size <= MAX_RECORD_BYTES);
  if (file === undefined) return undefined;
  try {
    const record = toRecord(JSON.parse(await file.readFile("utf8")));
    // Two archives may have the same tag, such as that of nginx, which is made of length and time.
    const isOfCheckpoint = record.trainingRunId === trainingRunId &&
      record.checkpointId === checkpointId;
    return isOfCheckpoint ? record : undefined;
  } catch {
    return undefined; // A record that is malformed counts as none.
  } finally {
    await file.close();
  }
}

/** Whether a file is still the one that a record describes. */
export function isUnchanged({ file }: ArchiveRecord, found: FileStatus | undefined): boolean {
  return file !== undefined && found?.kind === "file" && file.size === found.size &&
    file.mtimeMs === found.mtimeMs;
}

/** Replaces a record atomically, so that it outlives a power failure. */
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
