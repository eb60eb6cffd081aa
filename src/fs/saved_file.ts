import { createHash } from "node:crypto";
import { createReadStream, type Stats } from "node:fs";
import { mkdir, rename, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { ArchiveSink } from "../download/archive_sink.ts";
import type { ArchivePosition } from "../download/archive_source.ts";
import { HpcaiError, InvalidArgumentError } from "../errors.ts";
import type { CheckpointIds } from "../types.ts";
import { syncDirectory } from "./directory.ts";
import { type ArchiveIdentity, openPartFile, type PartFile } from "./part_file.ts";
import { isCode, lockPath, type PathLock } from "./path_lock.ts";
import { readSidecar, removeSidecar, writeSidecar } from "./sidecar.ts";
import { verifyArchive } from "./verify_archive.ts";

/** How to save. */
export interface SavedFileOptions {
  readonly overwrite: boolean;
  readonly sha256: boolean;
  readonly verify: boolean;
  /** How long another saver may give no sign of life, in milliseconds. */
  readonly leaseMs: number;
}

/** A file that gets its name only once it is whole. */
export interface SavedFile {
  /** Which bytes are there already. */
  readonly position: ArchivePosition | undefined;
  /** Takes the bytes after those; when it is closed, the file has its name. */
  readonly sink: ArchiveSink;
  /** Says which archive the bytes to come are of; has to come before them. */
  identify(archive: ArchiveIdentity): void;
  /** The hash of the whole file in lower-case hex, once the sink is closed. */
  sha256(): string | undefined;
  /** Ends it; where the sink is not closed yet, keeps what can be gone on with. Never fails. */
  release(): Promise<void>;
}

/** As much as may wait for the disk, so that it and the network overlap. */
const QUEUE_BYTES = 512 * 1024;

/**
 * Opens what a save is to write: what an earlier one left, or a new file.
 *
 * @throws {InvalidArgumentError} if there is something at `path` that must not be replaced.
 * @throws {HpcaiError} if another process saves to `path`, or the file system refuses.
 */
export function openSavedFile(
  path: string,
  checkpoint: CheckpointIds,
  options: SavedFileOptions,
  signal: AbortSignal,
): Promise<SavedFile> {
  return orSaveError(path, async () => {
    // Before anything is made that would have to go again.
    if ((await statOf(path))?.isDirectory()) throw pathError(path, "is a directory");
    await mkdir(dirname(path), { recursive: true });
    const lock = await lockPath(`${path}.part.lock`, options.leaseMs, signal);
    try {
      return await openLocked(path, checkpoint, options, lock, signal);
    } catch (error) {
      await lock.release();
      throw error;
    }
  });
}

async function openLocked(
  path: string,
  { trainingRunId, checkpointId }: CheckpointIds,
  { overwrite, sha256, verify }: SavedFileOptions,
  lock: PathLock,
  signal: AbortSignal,
): Promise<SavedFile> {
  const checkpoint = { trainingRunId, checkpointId };
  const partPath = `${path}.part`;
  const sidecarPath = `${path}.etag.json`;
  const openPart = () => openPartFile(partPath, checkpoint, lock, sha256, signal);

  const found = await wholeFile(path, sidecarPath, checkpoint);
  if (found === "another" && !overwrite) {
    throw pathError(path, "is there already, and is not known to be this archive");
  }
  const isUpdated = overwrite && await statOf(partPath) !== undefined;
  const whole = found === "another" || isUpdated ? undefined : found;
  let part: PartFile | undefined = whole === undefined ? await openPart() : undefined;
  let digest = whole !== undefined && sha256 ? await fileHash(path, signal) : undefined;
  let archive: ArchiveIdentity = { etag: undefined, total: undefined };
  let isDamaged = false;

  const requirePart = (): PartFile => {
    if (part === undefined) throw new HpcaiError(`${path}: more bytes came than it has`);
    return part;
  };

  const restart = async () => {
    if (part !== undefined) return part.startOver();
    if (!overwrite) throw pathError(path, "is an archive that the server has another one for now");
    part = await openPart();
    await part.startOver();
  };

  const verifyWhole = async (file: string) => {
    try {
      await verifyArchive(file, ending.signal);
    } catch (cause) {
      isDamaged = !ending.signal.aborted;
      // What is damaged must not pass for whole the next time.
      if (isDamaged && part === undefined) await removeSidecar(sidecarPath);
      throw cause;
    }
  };

  /** Gives the part, which is whole, its name. */
  const commit = async () => {
    if (part === undefined) {
      if (verify) await verifyWhole(path);
      return lock.release();
    }
    await part.flush();
    const { size, mtimeMs } = await part.sync();
    if (verify) await verifyWhole(partPath);
    digest = part.sha256();
    const { etag } = archive;
    // Before the name, since the time says which file at the path it is about.
    if (etag === undefined) await removeSidecar(sidecarPath);
    else await writeSidecar(sidecarPath, { ...checkpoint, etag, total: size, mtimeMs });
    if (!overwrite && await statOf(path) !== undefined) {
      throw pathError(path, "has come to be there while the archive was saved");
    }
    await lock.requireHeld();
    await part.close();
    await rename(partPath, path);
    await part.remove();
    part = undefined;
    await syncDirectory(path);
    await lock.release();
  };

  const removePart = async (part: PartFile) => {
    await lock.requireHeld();
    await part.remove();
  };

  const ending = new AbortController();
  let current: Promise<void> = Promise.resolve();
  /** What release() has to wait for; nothing begins after it. */
  const step = (run: () => Promise<void>): Promise<void> =>
    current = orSaveError(path, () => {
      ending.signal.throwIfAborted();
      return run();
    });

  return {
    position: whole ?? part?.position,
    sink: {
      writable: new WritableStream<Uint8Array>({
        write: (chunk) => step(() => requirePart().append(chunk, archive)),
        close: () => step(commit),
      }, new ByteLengthQueuingStrategy({ highWaterMark: QUEUE_BYTES })),
      chunks: "borrowed",
      restart: () => step(restart),
    },
    identify: (identity) => archive = identity,
    sha256: () => digest,
    async release() {
      if (ending.signal.aborted) return;
      ending.abort();
      await current.catch(() => {});
      if (part !== undefined) {
        await part.close().catch(() => {});
        if (isDamaged || !part.canBeGoneOnWith()) await removePart(part).catch(() => {});
      }
      await lock.release();
    },
  };
}

/** Which archive the file at a path is, as the sidecar says; "another" where it does not. */
async function wholeFile(
  path: string,
  sidecarPath: string,
  checkpoint: CheckpointIds,
): Promise<ArchivePosition | "another" | undefined> {
  const found = await statOf(path);
  if (found === undefined) return undefined;
  const sidecar = await readSidecar(sidecarPath, checkpoint);
  const isIts = sidecar?.total === found.size && sidecar.mtimeMs === found.mtimeMs;
  return isIts ? { loaded: found.size, total: found.size, etag: sidecar.etag } : "another";
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (isCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

async function fileHash(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { signal })) hash.update(chunk);
  return hash.digest("hex");
}

function pathError(path: string, problem: string): InvalidArgumentError {
  const advice = "save to another path, or give the option `overwrite`";
  return new InvalidArgumentError("path", `${path} ${problem}; ${advice}`);
}

/** Gives what the file system says the path that it is about. */
async function orSaveError<T>(path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    if (cause instanceof HpcaiError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HpcaiError(`Could not save ${path}: ${reason}`, { cause });
  }
}
