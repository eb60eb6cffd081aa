import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { field, object, text } from "../json.ts";
import { writeRecord } from "./archive_record.ts";
import { syncDirectory } from "./directory.ts";
import { statusOf } from "./file_status.ts";
import type { PathClaim } from "./path_claim.ts";
import { openRegularFile } from "./regular_file.ts";

/** In the directory of a path's state: what is extracted, what it replaces, and the target's name. */
const NEW = "new";
const OLD = "old";
const RECORD = "extraction.json";
const EXTRACTION = [NEW, OLD, RECORD, `${RECORD}.tmp`];

/** Creates the directory that entries are written into before it gets its name. */
export async function makeStagedDirectory({ directory }: PathClaim): Promise<string> {
  const staged = join(directory, NEW);
  await mkdir(staged);
  return staged;
}

/**
 * Gives the staged directory its name, and removes the one that it replaces.
 *
 * A process that takes over renames the state's directory first, so that both renames of a process that
 * has lost its claim fail: that of the target for lack of a destination.
 *
 * @param name The target's name, as in the location of its claim.
 */
export async function publishStagedDirectory(
  { directory, confirm }: PathClaim,
  target: string,
  name: string,
): Promise<void> {
  const staged = join(directory, NEW);
  const old = join(directory, OLD);
  const isReplacing = await statusOf(target) !== undefined;
  if (isReplacing) await writeRecord(join(directory, RECORD), { name });
  await syncDirectory(directory);
  await confirm();
  if (isReplacing) await rename(target, old);
  try {
    await rename(staged, target);
  } catch (error) {
    if (isReplacing) await rename(old, target);
    throw error;
  }
  await syncDirectory(dirname(target));
  await settleExtraction(directory, target);
}

/**
 * Removes what an extraction left. If it ended between its two renames, the directory that it was to
 * replace gets its name back.
 *
 * @param target The path of the extraction, if that is known.
 */
export async function settleExtraction(
  directory: string,
  target: string | undefined,
): Promise<void> {
  const old = join(directory, OLD);
  if (await statusOf(old) !== undefined) {
    if (target === undefined) return;
    if (await statusOf(target) === undefined) {
      await rename(old, target);
      await syncDirectory(dirname(target));
    }
  }
  for (const name of EXTRACTION) {
    await rm(join(directory, name), { recursive: true, force: true });
  }
}

/** Whether a name in the directory of a path's state is that of a directory. */
export function isStagedName(name: string): boolean {
  return name === NEW || name === OLD;
}

/** Whether a state's directory has what an extraction left, or nothing that a save could resume. */
export async function isLeftover(directory: string): Promise<boolean> {
  const names = await readdir(directory);
  const isOfSave = names.some((name) => ![...EXTRACTION, "lock"].includes(name));
  return !isOfSave || names.some(isStagedName);
}

/** The name of the directory that an extraction was to replace, if it recorded that. */
export async function targetName(directory: string): Promise<string | undefined> {
  const file = await openRegularFile(join(directory, RECORD), "read");
  try {
    return field(object(JSON.parse(await file?.readFile("utf8") ?? "")), "name", text);
  } catch {
    return undefined;
  } finally {
    await file?.close();
  }
}
