import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { HpcaiError } from "../errors.ts";
import { isErrno } from "./errno.ts";
import { IS_WINDOWS, statusOf } from "./file_status.ts";
import { lockPath, type LockRequest, type PathLock } from "./path_lock.ts";
import {
  openStateDirectory,
  removeStateDirectory,
  type StateDirectory,
  stateKey,
  type StateLocation,
} from "./state_directory.ts";
import { isLeftover, isStagedName, settleExtraction, targetName } from "./staged_directory.ts";

/** The exclusive right to write a path and its state. */
export interface PathClaim extends Pick<PathLock, "requireHeld" | "confirm"> {
  /**
   * The directory of its state. A process that takes over renames it, so that each path in it becomes
   * invalid for the earlier holder.
   */
  readonly directory: string;
  /** The permissions of a new file. */
  readonly fileMode: number;
  /** The user id of the files that this process creates. */
  readonly uid: number;
  /** Returns the loss of the claim if it was lost, since no path of its state is valid then; else the error. */
  reasonFor(error: unknown): Promise<unknown>;
  /** Resolves once the leftovers of other extractions into the same directory are removed. Never fails. */
  readonly sweep: Promise<void>;
  /** Releases the claim, and removes the empty directories of its state. Never fails. */
  release(): Promise<void>;
}

/** The claims of this process, so that a new one waits for the release of a cancelled one. */
const activeClaims = new Map<string, { isEnding(): boolean; readonly released: Promise<void> }>();

/**
 * How long a killed process blocks its path, in milliseconds. Longer than a busy disk may delay the
 * renewal of a lock.
 */
const LEASE_MS = 3_000;

/** How often a state directory may be removed by another process while it is opened. */
const MAX_ATTEMPTS = 100;

/**
 * Claims a path, and takes over the state that an earlier holder left.
 *
 * Waits for the release of a cancelled claim of this process, and for `leaseMs` where the holder of the
 * lock does not renew it.
 *
 * @param location The path and its state directory.
 * @param signal Ends the wait. After its abort, other claims of this process wait for the release.
 * @param leaseMs After how long a lock that is not renewed expires, in milliseconds.
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
  const isYielding = () => signal.aborted;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const state = await openStateDirectory(location.root, `${key}.${holder}.probe`);
    const claim = state &&
      await claimState(state, { key, target, holder, leaseMs, signal, isYielding });
    if (state === undefined || claim === undefined) continue;
    try {
      await settleExtraction(claim.directory, target);
      return withSweep(claim, removeLeftovers(state, location.root, key, leaseMs, signal));
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

/** The state to claim, and its holder. */
interface ClaimRequest extends Omit<LockRequest, "path"> {
  /** The name of the path's state. */
  readonly key: string;
  /** Whether other claims of this process wait for the release of this one. */
  readonly isYielding: () => boolean;
}

/**
 * Claims the state of one path.
 *
 * Resolves to `undefined` where another process has just removed the state directory.
 */
async function claimState(
  state: StateDirectory,
  { key, isYielding, ...request }: ClaimRequest,
): Promise<Omit<PathClaim, "sweep"> | undefined> {
  const { target, holder, signal } = request;
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
    const acquiredLock = lock = await lockPath({
      path: join(state.path, `${key}.lock`),
      ...request,
    });
    await takeOver(state, key, directory, acquiredLock);
    return {
      directory,
      fileMode: state.fileMode,
      uid: state.uid,
      requireHeld: acquiredLock.requireHeld,
      confirm: acquiredLock.confirm,
      reasonFor: (error) => reasonFor(acquiredLock, error),
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

/** Waits for the release of other claims of this process, registers one, and returns its removal. */
async function register(
  id: string,
  target: string,
  isEnding: () => boolean,
  signal: AbortSignal,
): Promise<() => void> {
  for (let other = activeClaims.get(id); other !== undefined; other = activeClaims.get(id)) {
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
  activeClaims.set(id, { isEnding, released });
  return () => {
    activeClaims.delete(id);
    resolve();
  };
}

/** Does what `Promise.withResolvers` does, which Node 20 does not have. */
function withResolvers(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((resolvePromise) => resolve = resolvePromise);
  return { promise, resolve };
}

/** Renames the state directory of earlier holders to that of this holder, or creates one. */
async function takeOver(
  state: StateDirectory,
  key: string,
  directory: string,
  lock: PathLock,
): Promise<void> {
  const names = (await readdir(state.path)).filter((name) =>
    name.startsWith(`${key}.`) && name !== `${key}.lock`
  );
  // While the lock is held, the names are those of earlier holders, not of a later one.
  await lock.confirm();
  let hasState = false;
  for (const name of names) {
    const path = join(state.path, name);
    if ((await statusOf(path))?.kind !== "directory") {
      await rm(path, { force: true });
    } else if (!await removeIfEmpty(path)) {
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
  else await removeForeign(directory);
  // From here on a process that takes over finds the directory, and renames it.
  await lock.confirm();
}

/** Removes files that no save or extraction creates, and the lock of the last holder. */
async function removeForeign(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const kind = (await statusOf(path))?.kind;
    const isExpected = isStagedName(name) ? kind === "directory" : kind === "file";
    if (!isExpected || name === "lock") await rm(path, { recursive: true, force: true });
  }
}

/** Removes a directory if it is empty; resolves to whether it is gone. */
async function removeIfEmpty(path: string): Promise<boolean> {
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

/** Makes the release of a claim wait for the sweep. */
function withSweep(
  claim: Omit<PathClaim, "sweep">,
  sweep: Promise<void>,
): PathClaim {
  return {
    ...claim,
    sweep,
    async release() {
      const released = claim.release();
      await sweep;
      await released;
    },
  };
}

/**
 * Removes what killed processes left of extractions to other paths, and their locks. Parts of saves
 * stay, since a later save resumes from them. Never fails.
 */
async function removeLeftovers(
  state: StateDirectory,
  root: string,
  ownKey: string,
  leaseMs: number,
  signal: AbortSignal,
): Promise<void> {
  const sweepKey = async (key: string) => {
    const holder = randomBytes(8).toString("hex");
    const request = { key, target: key, holder, leaseMs, signal, isYielding: () => true };
    const claim = await claimState(state, request);
    if (claim === undefined) return;
    try {
      const name = await targetName(claim.directory);
      const isOfKey = name !== undefined && stateKey({ root, name }) === key;
      await settleExtraction(claim.directory, isOfKey ? join(root, name) : undefined);
    } finally {
      await claim.release();
    }
  };
  const findKeys = async () => {
    const keys = new Set<string>();
    for (const name of await readdir(state.path)) {
      const [, key = "", kind] = /^([0-9a-f]{32})\.(?:[0-9a-f]{16})?\.?(probe|lock)?$/.exec(name) ??
        [];
      if (key === "" || key === ownKey || activeClaims.has(`${state.identity}/${key}`)) continue;
      const path = join(state.path, name);
      if (kind === "probe") await rm(path, { force: true });
      else if (await (kind === "lock" ? isExpired(path, leaseMs) : isLeftover(path))) keys.add(key);
    }
    return keys;
  };
  try {
    // A state that another process holds cannot be claimed, and stays.
    await Promise.allSettled([...await findKeys()].map(sweepKey));
  } catch {
    // The next sweep removes the rest.
  }
}

/** Whether a lock was not renewed within a lease. */
async function isExpired(lock: string, leaseMs: number): Promise<boolean> {
  const status = await statusOf(lock);
  return status !== undefined && Date.now() - status.mtimeMs > leaseMs;
}
