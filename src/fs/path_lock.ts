import { type FileHandle, link, rename, rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { HpcaiError } from "../errors.ts";
import { isErrno } from "./errno.ts";
import { statusOf, statusOfOpen } from "./file_status.ts";
import { createPrivateFile } from "./regular_file.ts";

/** Keeps other processes from a path. */
export interface PathLock {
  /** Throws if the lock may have been lost; looks only where it has not for a while. */
  requireHeld(): Promise<void>;
  /** Throws if the lock was lost. */
  confirm(): Promise<void>;
  /**
   * Releases the lock. Never fails.
   *
   * @param directory A directory that whoever takes over the lock moves, so that a lock that was lost
   * cannot be removed.
   */
  release(directory: string): Promise<void>;
}

/** How often a holder renews its lock within the time that others wait for a sign of life. */
const BEATS_PER_LEASE = 6;
const POLLS_PER_LEASE = 60;

/**
 * Takes a lock, which is a file that its holder touches while it lives. A process id would say less: it
 * is reused, means nothing in another container or on another host, and looking it up needs a
 * permission in Deno. A lock that exists is watched: if it is touched, the path is busy; if it goes,
 * the path is free; if nothing happens for `leaseMs`, its holder is dead and the lock is taken over.
 *
 * @param path The lock's file.
 * @param target The path that it locks, for messages.
 * @param holder A name that no other holder has.
 * @param leaseMs How long a holder may give no sign of life, in milliseconds.
 * @param signal Ends the wait.
 * @throws {HpcaiError} if another process holds the lock, or what has its name is no file.
 */
export async function lockPath(
  path: string,
  target: string,
  holder: string,
  leaseMs: number,
  signal: AbortSignal,
): Promise<PathLock> {
  while (true) {
    signal.throwIfAborted();
    try {
      const file = await createPrivateFile(path);
      return hold(path, target, file, (await statusOfOpen(file)).identity, leaseMs);
    } catch (error) {
      if (!isErrno(error, "EEXIST")) throw error;
    }
    await waitUntilFree(path, target, `${path}.${holder}`, leaseMs, signal);
  }
}

function hold(
  path: string,
  target: string,
  file: FileHandle,
  identity: string,
  leaseMs: number,
): PathLock {
  let renewedAt = performance.now();
  let isLost = false;
  const confirm = async () => {
    // Open, the file keeps its inode, so that no other file has the same identity.
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
  let beat: Promise<void> = Promise.resolve();
  const timer = setInterval(() => beat = renew().catch(() => {}), leaseMs / BEATS_PER_LEASE);
  return {
    confirm,
    requireHeld: async () => {
      if (isLost || performance.now() - renewedAt > leaseMs / 2) await renew();
    },
    async release(directory) {
      clearInterval(timer);
      await beat;
      try {
        await confirm();
        const released = `${directory}/lock`;
        await rename(path, released);
        await discard(released, path, identity);
      } catch {
        // Then it was lost, or is left to be taken over.
      }
      await file.close().catch(() => {});
    },
  };
}

async function waitUntilFree(
  path: string,
  target: string,
  stale: string,
  leaseMs: number,
  signal: AbortSignal,
): Promise<void> {
  const seen = await statusOf(path);
  if (seen === undefined) return;
  if (seen.kind !== "file") {
    throw new HpcaiError(`Cannot lock ${path}: it is a ${seen.kind}, not a file`, {
      advice: `Remove ${path}.`,
    });
  }
  // Counted, not timed: a machine that was suspended has to see the holder do nothing after that.
  for (let poll = 0; poll < POLLS_PER_LEASE; poll++) {
    await delay(leaseMs / POLLS_PER_LEASE, undefined, { signal });
    const current = await statusOf(path);
    if (current === undefined) return;
    if (current.identity !== seen.identity || current.mtimeMs !== seen.mtimeMs) {
      throw new HpcaiError(`Cannot write ${target}: another process is writing it`, {
        advice: "Wait for it to end, or choose another path.",
      });
    }
  }
  // Moved first, so that of two who take over one does not remove the other's lock.
  try {
    await rename(path, stale);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return;
    throw error;
  }
  await discard(stale, path, seen.identity);
}

/** Removes a lock that was moved away from its path; gives it back if it is another one's. */
async function discard(moved: string, path: string, identity: string): Promise<void> {
  const isAnother = (await statusOf(moved))?.identity !== identity;
  // If there is a lock again, the other one has lost its own and will notice.
  if (isAnother) await link(moved, path).catch(() => {});
  await rm(moved, { force: true });
}
