import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { HpcaiError } from "../errors.ts";
import { isErrno } from "./errno.ts";
import { IS_WINDOWS, statusOf } from "./file_status.ts";
import { lockPath, type PathLock } from "./path_lock.ts";
import {
  openStateDirectory,
  removeStateDirectory,
  type StateDirectory,
  stateKey,
  type StateLocation,
} from "./state_directory.ts";
import { isLeftover, isStagedName, settleExtraction, targetName } from "./staged_directory.ts";

/** The right to write a file or a directory, and its state. */
export interface PathClaim extends Pick<PathLock, "requireHeld" | "confirm"> {
  /**
   * The directory of its state. Another process that takes over moves it, so that each path in it stops
   * working for this one.
   */
  readonly directory: string;
  /** The permissions of a new file. */
  readonly fileMode: number;
  /** Who owns what this process makes. */
  readonly uid: number;
  /** The reason of a failure: that the claim was lost, if it was, since no path of its state works then. */
  reasonFor(error: unknown): Promise<unknown>;
  /** Resolves once what other extractions into the same directory left is removed. Never fails. */
  readonly swept: Promise<void>;
  /** Releases the claim, and removes what is empty of its state. Never fails. */
  release(): Promise<void>;
}

/** What this process has claimed, so that who comes next waits for the end of who was cancelled. */
const claimed = new Map<string, { isEnding(): boolean; readonly released: Promise<void> }>();

/**
 * How long a process that was killed keeps others from its path, in milliseconds. Longer than a busy
 * disk may keep a living one from touching its lock.
 */
const LEASE_MS = 3_000;

/** How often a state directory may be removed while it is being entered. */
const MAX_ATTEMPTS = 100;

/**
 * Claims a path. Waits while another claim of this process ends, and for `leaseMs` where the holder of
 * the lock gives no sign of life; takes over the state that it left.
 *
 * @param location Whose state it is.
 * @param signal Ends the wait. Once aborted, others of this process wait for the release.
 * @param leaseMs How long another process may give no sign of life, in milliseconds.
 * @throws {HpcaiError} if the path is claimed already, or the state directory cannot be trusted.
 */
export async function claimPath(
  location: StateLocation,
  signal: AbortSignal,
  leaseMs: number = LEASE_MS,
): Promise<PathClaim> {
  const holder = randomBytes(8).toString("hex");
  const key = stateKey(location);
  const target = join(location.root, location.name);
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const state = await openStateDirectory(location.root, `${key}.${holder}.probe`);
    const claim = state &&
      await claimState(state, key, target, holder, leaseMs, () => signal.aborted, signal);
    if (state === undefined || claim === undefined) continue;
    try {
      await settleExtraction(claim.directory, target);
      return withSweep(claim, sweep(state, location.root, key, leaseMs, signal));
    } catch (error) {
      const reason = await claim.reasonFor(error);
      await claim.release();
      throw reason;
    }
  }
  throw new HpcaiError(
    `Cannot write ${target}: another process removes the state directory repeatedly`,
    { advice: "Run it again once no other process writes into the directory." },
  );
}

/**
 * Claims the state of one path; resolves to `undefined` where the state directory has just been
 * removed.
 *
 * @param isYielding Whether other claims of this process wait for the release of this one.
 */
async function claimState(
  state: StateDirectory,
  key: string,
  target: string,
  holder: string,
  leaseMs: number,
  isYielding: () => boolean,
  signal: AbortSignal,
): Promise<Omit<PathClaim, "swept"> | undefined> {
  let released: Promise<void> | undefined;
  const forget = await register(
    `${state.identity}/${key}`,
    target,
    () => isYielding() || released !== undefined,
    signal,
  );
  const directory = join(state.path, `${key}.${holder}`);
  let lock: PathLock | undefined;
  const release = async () => {
    await lock?.release(directory);
    await rmdir(directory).catch(() => {});
    await removeStateDirectory(state);
    forget();
  };
  try {
    const held = lock = await lockPath(
      join(state.path, `${key}.lock`),
      target,
      holder,
      leaseMs,
      signal,
    );
    await takeOver(state, key, directory, held);
    return {
      directory,
      fileMode: state.fileMode,
      uid: state.uid,
      requireHeld: held.requireHeld,
      confirm: held.confirm,
      reasonFor: (error) => reasonFor(held, error),
      release: () => released ??= release(),
    };
  } catch (error) {
    const reason = lock === undefined ? error : await reasonFor(lock, error);
    await release();
    if (lock === undefined && isErrno(error, "ENOENT")) return undefined;
    throw reason;
  }
}

async function reasonFor(lock: PathLock, error: unknown): Promise<unknown> {
  try {
    if (!(error instanceof HpcaiError)) await lock.confirm();
    return error;
  } catch (lost) {
    return lost instanceof HpcaiError ? lost : error;
  }
}

/** Waits for the end of another claim of this process, then registers one. Gives what ends that. */
async function register(
  id: string,
  target: string,
  isEnding: () => boolean,
  signal: AbortSignal,
): Promise<() => void> {
  for (let other = claimed.get(id); other !== undefined; other = claimed.get(id)) {
    if (!other.isEnding()) {
      throw new HpcaiError(
        `Cannot write ${target}: another save or extraction of this process is in progress`,
        { advice: "Wait for its end, or unsubscribe from it." },
      );
    }
    await other.released;
    signal.throwIfAborted();
  }
  const { promise: released, resolve } = withResolvers();
  claimed.set(id, { isEnding, released });
  return () => {
    claimed.delete(id);
    resolve();
  };
}

/** `Promise.withResolvers`, which Node 20 does not have. */
function withResolvers(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((resolvePromise) => resolve = resolvePromise);
  return { promise, resolve };
}

/** Moves the state that holders before this one left into a directory of its own. */
async function takeOver(
  state: StateDirectory,
  key: string,
  directory: string,
  lock: PathLock,
): Promise<void> {
  const names = (await readdir(state.path)).filter((name) =>
    name.startsWith(`${key}.`) && name !== `${key}.lock`
  );
  // While the lock is held, the names are those of holders before. A later one's are not among them.
  await lock.confirm();
  let hasState = false;
  for (const name of names) {
    const path = join(state.path, name);
    if ((await statusOf(path))?.kind !== "directory") {
      await rm(path, { force: true });
    } else if (!await isRemoved(path)) {
      try {
        await rename(path, hasState ? join(directory, name) : directory);
      } catch (error) {
        if (isErrno(error, "ENOENT")) continue;
        throw error;
      }
      if (hasState) await rm(join(directory, name), { recursive: true, force: true });
      hasState = true;
    }
  }
  if (hasState && !await isPrivate(directory, state)) {
    await rm(directory, { recursive: true, force: true });
    hasState = false;
  }
  if (!hasState) await mkdir(directory, { mode: 0o700 });
  else await removePlanted(directory);
  // From here on whoever takes over finds the directory, and moves it.
  await lock.confirm();
}

/** Removes what no process that used the directory can have left, and the lock of its last one. */
async function removePlanted(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const kind = (await statusOf(path))?.kind;
    const isRight = isStagedName(name) ? kind === "directory" : kind === "file";
    if (!isRight || name === "lock") await rm(path, { recursive: true, force: true });
  }
}

/** Removes a directory if it is empty. */
async function isRemoved(path: string): Promise<boolean> {
  try {
    await rmdir(path);
    return true;
  } catch (error) {
    return isErrno(error, "ENOENT");
  }
}

async function isPrivate(directory: string, { uid }: StateDirectory): Promise<boolean> {
  const status = await statusOf(directory);
  return status?.kind === "directory" && !status.isWritableByOthers &&
    (IS_WINDOWS || status.uid === uid);
}

/** The claim of a state directory's other users lasts as long as its sweep. */
function withSweep(
  claim: Omit<PathClaim, "swept">,
  swept: Promise<void>,
): PathClaim {
  return {
    ...claim,
    swept,
    async release() {
      const released = claim.release();
      await swept;
      await released;
    },
  };
}

/**
 * Removes what dead processes left of extractions to other paths, and their locks. What they saved stays.
 * Never fails.
 */
async function sweep(
  state: StateDirectory,
  root: string,
  ownKey: string,
  leaseMs: number,
  signal: AbortSignal,
): Promise<void> {
  const sweepKey = async (key: string) => {
    const holder = randomBytes(8).toString("hex");
    const claim = await claimState(state, key, key, holder, leaseMs, () => true, signal);
    if (claim === undefined) return;
    try {
      const name = await targetName(claim.directory);
      const isItsOwn = name !== undefined && stateKey({ root, name }) === key;
      await settleExtraction(claim.directory, isItsOwn ? join(root, name) : undefined);
    } finally {
      await claim.release();
    }
  };
  const findKeys = async () => {
    const keys = new Set<string>();
    for (const name of await readdir(state.path)) {
      const [, key = "", kind] = /^([0-9a-f]{32})\.(?:[0-9a-f]{16})?\.?(probe|lock)?$/.exec(name) ??
        [];
      if (key === "" || key === ownKey || claimed.has(`${state.identity}/${key}`)) continue;
      const path = join(state.path, name);
      if (kind === "probe") await rm(path, { force: true });
      else if (await (kind === "lock" ? isOld(path, leaseMs) : isLeftover(path))) keys.add(key);
    }
    return keys;
  };
  try {
    // What another process holds stays.
    await Promise.allSettled([...await findKeys()].map(sweepKey));
  } catch {
    // The next one does it.
  }
}

/** Whether a lock looks as if its holder were dead. */
async function isOld(lock: string, leaseMs: number): Promise<boolean> {
  const status = await statusOf(lock);
  return status !== undefined && Date.now() - status.mtimeMs > leaseMs;
}
