import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { HpcaiError } from "../errors.ts";
import { syncDirectory } from "./directory.ts";
import { isErrno } from "./errno.ts";
import { IS_WINDOWS, statusOf, statusOfOpen } from "./file_status.ts";
import { createFile } from "./regular_file.ts";

/** The name of the directory with the state of all saves and extractions beside it. */
const NAME = ".hpcai-rx";

/** Where the state of a file is kept; by default in the directory of the file. */
export interface StateLocation {
  /** The directory that the state directory is in. */
  readonly root: string;
  /** The name of the file in that directory. */
  readonly name: string;
}

/** A state directory that only its owner can write to. */
export interface StateDirectory {
  /** Where it is. */
  readonly path: string;
  /** Identifies the directory under any path. */
  readonly identity: string;
  /** The user id that the file system gives the files of this process. */
  readonly uid: number;
  /** The permissions of a new file, as the system gives them: 0666 less the umask. */
  readonly fileMode: number;
}

/**
 * Creates or checks the state directory in `root`.
 *
 * It is `.hpcai-rx`, or `.hpcai-rx-<uid>` where another user owns that. Resolves to `undefined` where
 * another process has just removed it.
 *
 * @param probeName A unique name for a file in it.
 * @throws {HpcaiError} if it is a link, not a directory, or others may write to it.
 */
export async function openStateDirectory(
  root: string,
  probeName: string,
): Promise<StateDirectory | undefined> {
  const path = join(root, NAME);
  const state = await openIfOwn(path, probeName);
  if (state !== "another user's") return state;
  const ownPath = `${path}-${await uidIn(root)}`;
  const ownState = await openIfOwn(ownPath, probeName);
  if (ownState === "another user's") throw stateError(ownPath, "belongs to another user");
  return ownState;
}

/** Removes a state directory if it is empty. */
export async function removeStateDirectory({ path }: StateDirectory): Promise<void> {
  await rmdir(path).catch(() => {});
}

/** Returns the name of a file's state, short enough for the file system however long the file's name is. */
export function stateKey({ name }: StateLocation): string {
  return createHash("sha256").update(name).digest("hex").slice(0, 32);
}

async function openIfOwn(
  path: string,
  probeName: string,
): Promise<StateDirectory | undefined | "another user's"> {
  await makePrivateDirectory(path);
  const status = await statusOf(path);
  if (status === undefined) return undefined;
  const { kind, identity, isWritableByOthers } = status;
  if (kind !== "directory") throw stateError(path, `is a ${kind}, not a directory`);
  let probe: { readonly uid: number; readonly mode: number };
  try {
    probe = await probeFile(join(path, probeName));
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    const isDenied = isErrno(error, "EACCES", "EPERM");
    if (isDenied && await uidIn(dirname(path)) !== status.uid) return "another user's";
    throw error;
  }
  // Root may write everywhere.
  if (!IS_WINDOWS && probe.uid !== status.uid) return "another user's";
  if (isWritableByOthers) throw stateError(path, "can be written to by other users");
  return { path, identity, uid: probe.uid, fileMode: probe.mode };
}

async function makePrivateDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (isErrno(error, "EEXIST")) return;
    throw error;
  }
  await syncDirectory(dirname(path));
}

/**
 * Creates a file to read the owner and the permissions that new files get.
 *
 * The user id and the umask of the process can differ from these: a file system may map users, and a
 * directory may have default permissions. Deno also needs a permission to read either.
 */
async function probeFile(path: string): Promise<{ readonly uid: number; readonly mode: number }> {
  const file = await createFile(path);
  try {
    return await statusOfOpen(file);
  } finally {
    await file.close();
    await rm(path, { force: true });
  }
}

async function uidIn(root: string): Promise<number | undefined> {
  const probe = await mkdtemp(join(root, `${NAME}-`));
  try {
    return (await statusOf(probe))?.uid;
  } finally {
    await rmdir(probe);
  }
}

function stateError(path: string, problem: string): HpcaiError {
  return new HpcaiError(
    `Cannot keep state in ${path}: it ${problem}`,
    { advice: "Remove it, or save into another directory." },
  );
}
