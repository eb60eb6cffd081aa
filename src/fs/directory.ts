import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { isErrno } from "./errno.ts";
import { statusOfTarget } from "./file_status.ts";

/** Errors of a disk that failed or is full. Any other means that it cannot sync directories. */
const DISK_ERRORS = ["EIO", "ENOSPC", "EDQUOT"];

/**
 * Syncs the names in a directory, so that they survive a power failure.
 *
 * Windows and some network file systems do not support that; it does nothing there.
 */
export async function syncDirectory(path: string): Promise<void> {
  try {
    const directory = await open(path);
    await directory.sync().finally(() => directory.close());
  } catch (error) {
    if (isErrno(error, ...DISK_ERRORS)) throw error;
  }
}

/** Creates a directory and its parents, unless they exist, so that they survive a power failure. */
export async function makeDirectory(path: string): Promise<void> {
  if (await isDirectory(path)) return;
  try {
    await mkdir(path);
  } catch (error) {
    // Another process may have created it since.
    if (isErrno(error, "EEXIST") && await isDirectory(path)) return;
    if (!isErrno(error, "ENOENT")) throw error;
    // Only after mkdir failed, since Deno may have no permission to read the parent.
    await makeDirectory(dirname(path));
    // Not repeated: procfs, which creates no directories, reports ENOENT although the parent exists.
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
