import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { field, object, text } from "../json.ts";
import { writeRecord } from "./archive_record.ts";
import { syncDirectory } from "./directory.ts";
import { statusOf } from "./file_status.ts";
import type { PathClaim } from "./path_claim.ts";
import { openRegularFile } from "./regular_file.ts";

/** Names in the directory of a path's state: the new directory, the old one, the record of the target. */
const NEW_DIRECTORY = "new";
const OLD_DIRECTORY = "old";
const RECORD_FILE = "extraction.json";
const EXTRACTION_NAMES = [NEW_DIRECTORY, OLD_DIRECTORY, RECORD_FILE, `${RECORD_FILE}.tmp`];

/** Creates the directory that entries are written into before it gets its name. */
export async function makeStagedDirectory({ directory }: PathClaim): Promise<string> {
  const path = join(directory, NEW_DIRECTORY);
  await mkdir(path);
  return path;
}

/**
 * Gives the staged directory its name, and removes the one that it replaces.
 *
 * A process that takes over renames the state's directory first. Both renames of a process that has lost
 * its claim then fail; the first one, since its destination does not exist.
 *
 * @param name The target's name, as in the location of its claim.
 */
export async function publishStagedDirectory(
  { directory, confirm }: PathClaim,
  target: string,
  name: string,
): Promise<void> {
  const newPath = join(directory, NEW_DIRECTORY);
  const oldPath = join(directory, OLD_DIRECTORY);
  const isReplacing = await statusOf(target) !== undefined;
  if (isReplacing) await writeRecord(join(directory, RECORD_FILE), { name });
  await syncDirectory(directory);
  await confirm();
  if (isReplacing) await rename(target, oldPath);
  try {
    await rename(newPath, target);
  } catch (error) {
    if (isReplacing) await rename(oldPath, target);
    throw error;
  }
  await syncDirectory(dirname(target));
  await settleExtraction(directory, target);
}

/**
 * Removes what an extraction left, and undoes a replacement that was interrupted.
 *
 * If the process was killed between the two renames, the old directory gets its name back.
 *
 * @param target The path of the extraction, if it is known.
 */
export async function settleExtraction(
  directory: string,
  target: string | undefined,
): Promise<void> {
  const oldPath = join(directory, OLD_DIRECTORY);
  if (await statusOf(oldPath) !== undefined) {
    if (target === undefined) return;
    if (await statusOf(target) === undefined) {
      await rename(oldPath, target);
      await syncDirectory(dirname(target));
    }
  }
  for (const name of EXTRACTION_NAMES) {
    await rm(join(directory, name), { recursive: true, force: true });
  }
}

/** Whether a name in the directory of a path's state is that of a directory. */
export function isStagedName(name: string): boolean {
  return name === NEW_DIRECTORY || name === OLD_DIRECTORY;
}

/** Whether a state's directory contains an extraction's leftovers, or nothing that a save can resume. */
export async function isLeftover(directory: string): Promise<boolean> {
  const names = await readdir(directory);
  const isOfSave = names.some((name) => ![...EXTRACTION_NAMES, "lock"].includes(name));
  return !isOfSave || names.some(isStagedName);
}

/** Returns the name of the directory that an extraction replaces, if it recorded the name. */
export async function targetName(directory: string): Promise<string | undefined> {
  const file = await openRegularFile(join(directory, RECORD_FILE), "read");
  try {
    return field(object(JSON.parse(await file?.readFile("utf8") ?? "")), "name", text);
  } catch {
    return undefined;
  } finally {
    await file?.close();
  }
}
