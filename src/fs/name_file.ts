import { link, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { HpcaiError, InvalidArgumentError } from "../errors.ts";
import { syncDirectory } from "./directory.ts";
import { isErrno } from "./errno.ts";
import { type FileStatus, statusOf } from "./file_status.ts";
import { PathExistsError } from "./path_errors.ts";

/**
 * Gives a file its final name, atomically and so that the name survives a power failure.
 *
 * Without `overwrite` nothing is replaced, even if another process creates it at the same moment, except
 * on a file system without hard links.
 *
 * @param from The file. It keeps this name where it gets the other one by a hard link.
 * @param identity The identity of the file, so that no other file gets the name.
 * @throws {PathExistsError} if a file has the name and `overwrite` is not set.
 * @throws {InvalidArgumentError} if something other than a file has the name.
 */
export async function nameFile(
  from: string,
  to: string,
  identity: string,
  overwrite: boolean,
): Promise<void> {
  const replaced = await statusOf(to);
  requireReplaceable(to, replaced);
  if (replaced !== undefined && !overwrite) throw createdError(to);
  await requireIdentity(from, identity);
  await (overwrite ? rename(from, to) : linkOrRename(from, to, identity));
  await requireIdentity(to, identity);
  await syncDirectory(dirname(to));
}

async function linkOrRename(from: string, to: string, identity: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (isErrno(error, "ENOENT")) throw error;
    if (!isErrno(error, "EEXIST")) return await rename(from, to); // The file system has no hard links.
    // Over a network, a repeated call may fail after the first one has succeeded.
    if ((await statusOf(to))?.identity !== identity) throw createdError(to);
  }
}

async function requireIdentity(path: string, identity: string): Promise<void> {
  if ((await statusOf(path))?.identity === identity) return;
  throw new HpcaiError(`Cannot save ${path}: another process has replaced the file`, {
    advice: "Run it again once no other process uses the file.",
  });
}

/** Throws if something other than a file exists at a path, since only a file can be replaced. */
export function requireReplaceable(path: string, found: FileStatus | undefined): void {
  if (found === undefined || found.kind === "file") return;
  throw new InvalidArgumentError("path", `${path} is a ${found.kind}, not a file`, {
    advice: "Choose another path; only regular files are replaced.",
  });
}

/** Returns the error for a file that exists, and that `overwrite` would replace. */
export function existsError(path: string, problem: string): PathExistsError {
  return new PathExistsError("path", `${path} ${problem}`, {
    advice: "Choose another path, or replace the file with the option overwrite.",
  });
}

function createdError(path: string): PathExistsError {
  return existsError(path, "was created by another process during the download");
}
