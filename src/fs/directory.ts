import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { isErrno } from "./errno.ts";
import { statusOfTarget } from "./file_status.ts";

/** The errors of a disk that failed or is full. All others mean that it cannot sync directories. */
const DISK_ERRORS = ["EIO", "ENOSPC", "EDQUOT"];

/**
 * Makes sure that the names in a directory outlive a power failure, where the system supports that:
 * Windows and some network file systems do not.
 */
export async function syncDirectory(path: string): Promise<void> {
  try {
    const directory = await open(path);
    await directory.sync().finally(() => directory.close());
  } catch (error) {
    if (isErrno(error, ...DISK_ERRORS)) throw error;
  }
}

/** Creates a directory and its parents, unless they exist, so that they outlive a power failure. */
export async function makeDirectory(path: string): Promise<void> {
  if (await isDirectory(path)) return;
  try {
    await mkdir(path);
  } catch (error) {
    // Another process may have created it since.
    if (isErrno(error, "EEXIST") && await isDirectory(path)) return;
    if (!isErrno(error, "ENOENT")) throw error;
    // Not before mkdir: Deno may have no permission to read the parent.
    await makeDirectory(dirname(path));
    // Once: procfs, which makes no directories, reports ENOENT beside a parent that exists.
    await mkdir(path).catch(async (error) => {
      if (!await isDirectory(path)) throw error;
    });
  }
  await syncDirectory(dirname(path));
}

/** Whether a path is that of a directory, or of a link to one. */
export async function isDirectory(path: string): Promise<boolean> {
  return (await statusOfTarget(path))?.kind === "directory";
}
