import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { HpcaiError } from "../errors.ts";
import { syncDirectory } from "./directory.ts";
import { isErrno } from "./errno.ts";
import { IS_WINDOWS, statusOf, statusOfOpen } from "./file_status.ts";
import { createFile } from "./regular_file.ts";

/** Holds what is left of all saves and extractions into the directory that it is in. */
const NAME = ".hpcai-rx";

/** Where state is kept, by default in the directory of the file that it is about. */
export interface StateLocation {
  /** The directory whose state directory it is. */
  readonly root: string;
  /** The name of the file in that directory. */
  readonly name: string;
}

/** A state directory that only its owner can write to. */
export interface StateDirectory {
  /** Where it is. */
  readonly path: string;
  /** Which directory it is, whatever its path. */
  readonly identity: string;
  /** Who the file system takes this process for. */
  readonly uid: number;
  /** The permissions of a new file, as the system gives them: 0666 less the umask. */
  readonly fileMode: number;
}

/**
 * Makes or checks the state directory in `root`: `.hpcai-rx`, or `.hpcai-rx-<uid>` where another user
 * owns that. Resolves to `undefined` where another process has just removed it.
 *
 * @param probeName A name for a file in it that nothing else has.
 * @throws {HpcaiError} if it is a link, not a directory, or others may write to it.
 */
export async function openStateDirectory(
  root: string,
  probeName: string,
): Promise<StateDirectory | undefined> {
  const shared = join(root, NAME);
  const state = await openIfOwn(shared, probeName);
  if (state !== "another user's") return state;
  const own = `${shared}-${await uidIn(root)}`;
  const ownState = await openIfOwn(own, probeName);
  if (ownState === "another user's") throw unusable(own, "belongs to another user");
  return ownState;
}

/** Removes a state directory that is of no more use. */
export async function removeStateDirectory({ path }: StateDirectory): Promise<void> {
  await rmdir(path).catch(() => {});
}

/** Names a file's state: no longer than the file system allows, however long the file's name is. */
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
  if (kind !== "directory") throw unusable(path, `is a ${kind}, not a directory`);
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
  if (isWritableByOthers) throw unusable(path, "can be written to by other users");
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
 * Learns from a new file who owns it and what the umask leaves of its permissions. The process's own
 * user id and umask would not do: a file system may map users, a directory may have default
 * permissions, and Deno asks for a permission to read either.
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

function unusable(path: string, problem: string): HpcaiError {
  return new HpcaiError(
    `Cannot keep state in ${path}: it ${problem}`,
    { advice: "Remove it, or choose another directory." },
  );
}
