import { type FileHandle, link, rename, rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { HpcaiError } from "../errors.ts";
import { isErrno } from "./errno.ts";
import { statusOf, statusOfOpen } from "./file_status.ts";
import { createPrivateFile } from "./regular_file.ts";

/** A lock that keeps other processes from a path. */
export interface PathLock {
  /** Throws if the lock was lost; checks that only if the last check is older than half a lease. */
  requireHeld(): Promise<void>;
  /** Throws if the lock was lost. */
  confirm(): Promise<void>;
  /**
   * Releases the lock. Never fails.
   *
   * @param directory A directory that a process which takes over renames, so that a lock that was lost
   * cannot be removed.
   */
  release(directory: string): Promise<void>;
}

/** The lock to take, and its holder. */
export interface LockRequest {
  /** The file that is the lock. */
  readonly path: string;
  /** The path that it locks, for messages. */
  readonly target: string;
  /** A name that no other holder has. */
  readonly holder: string;
  /** After how long a lock that is not renewed expires, in milliseconds. */
  readonly leaseMs: number;
  /** Ends the wait for the lock. */
  readonly signal: AbortSignal;
}

/** How often a holder renews its lock within a lease, and how often others check that. */
const RENEWALS_PER_LEASE = 6;
const POLLS_PER_LEASE = 60;

/**
 * Takes a lock: a file that its holder renews by setting its time.
 *
 * An existing lock is polled: if its time changes, the path is busy; if it is removed, the path is free;
 * if neither happens for `leaseMs`, its holder was killed and the lock is taken over. A process id in the
 * lock could not replace that: it is reused, has no meaning in another container or on another host, and
 * Deno needs a permission to check it.
 *
 * @throws {HpcaiError} if another process holds the lock, or something other than a file has its name.
 */
export async function lockPath(request: LockRequest): Promise<PathLock> {
  while (true) {
    request.signal.throwIfAborted();
    try {
      const file = await createPrivateFile(request.path);
      return hold(request, file, (await statusOfOpen(file)).identity);
    } catch (error) {
      if (!isErrno(error, "EEXIST")) throw error;
    }
    await waitUntilFree(request);
  }
}

function hold(
  { path, target, leaseMs }: LockRequest,
  file: FileHandle,
  identity: string,
): PathLock {
  let renewedAt = performance.now();
  let isLost = false;
  const confirm = async () => {
    // While the lock is open, no other file gets its inode, and so its identity.
    isLost ||= (await statusOf(path))?.identity !== identity;
    if (isLost) {
      throw new HpcaiError(
        `Cannot write ${target}: another process has taken over, since this one did not renew its lock`,
        { advice: "Run it again to resume." },
      );
    }
  };
  const renew = async () => {
    const time = performance.now();
    await confirm();
    const now = new Date();
    await file.utimes(now, now);
    renewedAt = time;
  };
  let renewal: Promise<void> = Promise.resolve();
  const timer = setInterval(() => renewal = renew().catch(() => {}), leaseMs / RENEWALS_PER_LEASE);
  return {
    confirm,
    requireHeld: async () => {
      if (isLost || performance.now() - renewedAt > leaseMs / 2) await renew();
    },
    async release(directory) {
      clearInterval(timer);
      await renewal;
      try {
        await confirm();
        const releasedPath = `${directory}/lock`;
        await rename(path, releasedPath);
        await removeLock(releasedPath, path, identity);
      } catch {
        // The lock was lost, or expires.
      }
      await file.close().catch(() => {});
    },
  };
}

async function waitUntilFree(
  { path, target, holder, leaseMs, signal }: LockRequest,
): Promise<void> {
  const found = await statusOf(path);
  if (found === undefined) return;
  if (found.kind !== "file") {
    throw new HpcaiError(`Cannot lock ${path}: it is a ${found.kind}, not a file`, {
      advice: `Remove ${path}.`,
    });
  }
  // The polls are counted: after a suspension of the machine, the holder can still renew its lock.
  for (let poll = 0; poll < POLLS_PER_LEASE; poll++) {
    await delay(leaseMs / POLLS_PER_LEASE, undefined, { signal });
    const current = await statusOf(path);
    if (current === undefined) return;
    if (current.identity !== found.identity || current.mtimeMs !== found.mtimeMs) {
      throw new HpcaiError(`Cannot write ${target}: another process is writing it`, {
        advice: "Wait for it to end, or choose another path.",
      });
    }
  }
  const stalePath = `${path}.${holder}`;
  // Renamed first, so that of two processes that take over neither removes the lock of the other.
  try {
    await rename(path, stalePath);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return;
    throw error;
  }
  await removeLock(stalePath, path, found.identity);
}

/** Removes a lock that was renamed; restores it if it is the lock of another process. */
async function removeLock(movedPath: string, path: string, identity: string): Promise<void> {
  const isOfAnother = (await statusOf(movedPath))?.identity !== identity;
  // If there is a new lock already, the other process has lost its own, and detects that.
  if (isOfAnother) await link(movedPath, path).catch(() => {});
  await rm(movedPath, { force: true });
}
