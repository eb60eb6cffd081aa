import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { HpcaiError } from "../errors.ts";

/** Keeps other savers from a path, those of other processes too. */
export interface PathLock {
  /** Throws if the lock is not held any more; call it before each change of what it guards. */
  requireHeld(): Promise<void>;
  /** Lets the others have it, once. Never fails. */
  release(): Promise<void>;
}

/** How often a holder renews its lock within the time that others wait for a sign of life. */
const BEATS_PER_LEASE = 6;
const POLLS_PER_LEASE = 60;

/**
 * Takes a lock, which is a file that its holder touches as long as it lives. A process id would say
 * less: it is reused, means nothing in another container or on another host, and looking it up takes
 * a permission in Deno. Where the file is there already, it is watched: touched, the path is busy;
 * gone, it is free; untouched for `leaseMs`, its holder was killed, and the lock is taken over.
 *
 * @param path The lock's file.
 * @param leaseMs How long a holder may give no sign of life, in milliseconds.
 * @param signal Ends the watching.
 * @throws {HpcaiError} if somebody holds the lock.
 */
export async function lockPath(
  path: string,
  leaseMs: number,
  signal: AbortSignal,
): Promise<PathLock> {
  while (true) {
    signal.throwIfAborted();
    try {
      return hold(path, await open(path, "wx"), leaseMs);
    } catch (error) {
      if (!isCode(error, "EEXIST")) throw error;
    }
    await waitUntilFree(path, leaseMs, signal);
  }
}

function hold(path: string, file: FileHandle, leaseMs: number): PathLock {
  let renewedAt = performance.now();
  let isLost = false;
  const isOwn = async () => (await stat(path)).ino === (await file.stat()).ino;
  const renew = async () => {
    const time = performance.now();
    isLost ||= !await isOwn();
    if (isLost) throw new HpcaiError(`Another process has taken over the lock ${path}`);
    const now = new Date();
    await file.utimes(now, now);
    renewedAt = time;
  };
  let beat: Promise<void> = Promise.resolve();
  const timer = setInterval(() => beat = renew().catch(() => {}), leaseMs / BEATS_PER_LEASE);
  const release = async () => {
    clearInterval(timer);
    await beat;
    try {
      if (await isOwn()) await rm(path, { force: true });
    } catch {
      // Then it is gone, or is left to be taken over.
    }
    await file.close().catch(() => {});
  };
  let released: Promise<void> | undefined;
  return {
    // One that was suspended finds out here, before it writes into what is now another's.
    requireHeld: async () => {
      if (isLost || performance.now() - renewedAt > leaseMs / 2) await renew();
    },
    release: () => released ??= release(),
  };
}

async function waitUntilFree(path: string, leaseMs: number, signal: AbortSignal): Promise<void> {
  const seen = await stamp(path);
  const startedAt = performance.now();
  while (performance.now() - startedAt < leaseMs) {
    await delay(leaseMs / POLLS_PER_LEASE, undefined, { signal });
    const current = await stamp(path);
    if (current === undefined) return;
    if (current !== seen) throw busy(path);
  }
  // Moved out of the way first, so that of two who take over one does not remove the other's lock.
  const stale = `${path}.stale`;
  try {
    await rename(path, stale);
  } catch (error) {
    if (isCode(error, "ENOENT")) return;
    throw error;
  }
  if (await stamp(stale) !== seen) {
    await rename(stale, path);
    throw busy(path);
  }
  await rm(stale, { force: true });
}

function busy(path: string): HpcaiError {
  return new HpcaiError(`Another process is saving there and holds the lock ${path}`);
}

/** What changes when a lock is renewed or changes hands; `undefined` where there is none. */
async function stamp(path: string): Promise<string | undefined> {
  try {
    const { ino, mtimeMs } = await stat(path);
    return `${ino} ${mtimeMs}`;
  } catch (error) {
    if (isCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** Whether an error is the operating system's of that code. */
export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
