import { createHash } from "node:crypto";
import { link, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { ArchiveIdentity, ArchiveSink } from "../download/archive_sink.ts";
import type { ArchivePosition } from "../download/archive_source.ts";
import type { ArchiveFormat } from "../download/download_event.ts";
import { HpcaiError, InvalidArgumentError } from "../errors.ts";
import type { CheckpointIds } from "../types.ts";
import { convertArchive, formatOf, formatOfName } from "./file_format.ts";
import { type ArchiveRecord, isOfFile, readArchiveRecord } from "./archive_record.ts";
import { makeDirectory, syncDirectory } from "./directory.ts";
import { type FileStatus, isCode, statusOf, statusOfOpen } from "./file_status.ts";
import { openPartFile, type PartFile, partPath, partRecordPath, removePart } from "./part_file.ts";
import { claimPath, type PathClaim } from "./path_claim.ts";
import { PathExistsError, toPathError } from "./path_errors.ts";
import { createPrivateFile, openRegularFile, readBytes, readRegularFile } from "./regular_file.ts";
import type { StateLocation } from "./state_directory.ts";
import { verifyArchive } from "./verify_archive.ts";

/** How to save. */
export interface SavedFileOptions {
  readonly overwrite: boolean;
  readonly sha256: boolean;
  readonly verify: boolean;
  /** Where the state is kept. Default: in the file's own directory. */
  readonly state?: StateLocation | undefined;
}

/** What a file is under its final name. */
export interface SavedFileFacts {
  /** How many bytes it has. */
  readonly size: number;
  readonly format: ArchiveFormat;
  /** Its SHA-256 in lower-case hex; `undefined` where none was asked for. */
  readonly sha256: string | undefined;
}

/** A file that gets its name once it is complete. */
export interface SavedFile {
  /** Which bytes exist already. */
  readonly position: ArchivePosition | undefined;
  /** Takes the bytes after those; when it is closed, the file has its name. */
  readonly sink: ArchiveSink;
  /** What the file is; once the sink is closed. */
  facts(): SavedFileFacts;
  /**
   * Ends it; where the sink is not closed yet, keeps what can be resumed from. Never fails.
   *
   * @param isInvalid Whether the bytes are known to be no beginning of a right archive. Default false.
   */
  release(isInvalid?: boolean): Promise<void>;
}

/** As much may wait for the disk, so that it and the network overlap. */
const QUEUE_BYTES = 512 * 1024;

/**
 * Opens what a save is to write: what an earlier one left, or a new file.
 *
 * @throws {InvalidArgumentError} if what exists at `path` must not be replaced.
 * @throws {HpcaiError} if another process saves to `path`, or the file system fails.
 */
export async function openSavedFile(
  path: string,
  checkpoint: CheckpointIds,
  options: SavedFileOptions,
  signal: AbortSignal,
): Promise<SavedFile> {
  const ending = new AbortController();
  const end = () => ending.abort();
  signal.addEventListener("abort", end);
  const { state = { root: dirname(path), name: basename(path) } } = options;
  try {
    // Before anything is made that would have to be removed.
    requireReplaceable(path, await statusOf(path));
    await makeDirectory(dirname(path));
    const claim = await claimPath(state, ending.signal);
    try {
      return await openClaimed(path, checkpoint, options, claim, ending);
    } catch (error) {
      ending.abort();
      const reason = await claim.reasonFor(error);
      await claim.release();
      throw reason;
    }
  } catch (error) {
    throw toPathError(`Cannot save ${path}`, error);
  } finally {
    signal.removeEventListener("abort", end);
  }
}

async function openClaimed(
  path: string,
  { trainingRunId, checkpointId }: CheckpointIds,
  { overwrite, sha256, verify }: SavedFileOptions,
  claim: PathClaim,
  ending: AbortController,
): Promise<SavedFile> {
  const identity = { name: basename(path), trainingRunId, checkpointId };
  const openPart = () => openPartFile(claim, identity, sha256, ending.signal);

  const { saved, hasPart } = await findSaved(path, identity, claim);
  const isKept = saved !== undefined && !(overwrite && hasPart);
  // What a process left that ended right after the file had got its name.
  if (isKept && !hasPart) await removeUnnamed(claim.directory);
  if (!overwrite && !isKept && await statusOf(path) !== undefined) {
    throw existsError(path, "exists, and is not known to be this archive");
  }
  let part: PartFile | undefined = isKept ? undefined : await openPart();
  let facts: SavedFileFacts | undefined = isKept
    ? await factsOf(path, sha256, ending.signal)
    : undefined;
  let archive: ArchiveIdentity = { etag: undefined, total: undefined };
  let isDamaged = false;

  const requirePart = (): PartFile => {
    if (part === undefined) throw new HpcaiError(`${path} has fewer bytes than arrive`);
    return part;
  };

  const restart = async () => {
    if (part !== undefined) return part.restart();
    if (!overwrite) throw existsError(path, "is an archive that has changed on the server");
    part = await openPart();
    await part.restart();
  };

  /** Takes what cannot be read as an archive for damaged, so that it does not pass for right again. */
  const orDamaged = async <T>(run: () => Promise<T>): Promise<T> => {
    try {
      return await run();
    } catch (error) {
      isDamaged = !ending.signal.aborted && error instanceof HpcaiError;
      throw error;
    }
  };

  const commitSaved = async () => {
    if (!verify) return;
    try {
      await orDamaged(() => verifyArchive(readRegularFile(path, ending.signal)));
    } catch (error) {
      if (isDamaged) await rm(fileRecordPath(claim.directory), { force: true });
      throw error;
    }
  };

  const commitPart = async (part: PartFile) => {
    const finished = await part.finish();
    if (verify) await orDamaged(() => verifyArchive(part.bytes()));
    const file = await orDamaged(() => toFile(part, finished, path, claim, sha256, ending.signal));
    await part.recordFile(file.status);
    await part.close();
    await publish(file, path, overwrite, claim);
    await retirePart(claim.directory, archive.etag !== undefined);
    facts = { size: file.status.size, format: file.format, sha256: file.sha256 };
  };

  /** Gives the archive, which is complete, its name. */
  const commit = async () => {
    if (part === undefined) await commitSaved();
    else await commitPart(part);
    part = undefined;
    await claim.swept;
    await claim.release();
  };

  let current: Promise<void> = Promise.resolve();
  /** What release() has to wait for; nothing begins after it. */
  const step = (run: () => Promise<void>): Promise<void> =>
    current = (async () => {
      try {
        ending.signal.throwIfAborted();
        await run();
      } catch (error) {
        throw toPathError(`Cannot save ${path}`, await claim.reasonFor(error));
      }
    })();

  let released: Promise<void> | undefined;
  const release = async (isInvalid: boolean) => {
    ending.abort();
    await current.catch(() => {});
    await (isDamaged || isInvalid ? part?.remove() : part?.park())?.catch(() => {});
    await claim.release();
  };

  return {
    position: part === undefined
      ? saved && { loaded: saved.synced, total: saved.synced, etag: saved.etag }
      : part.position,
    sink: {
      begin: (identity) => step(() => Promise.resolve(void (archive = identity))),
      writable: new WritableStream<Uint8Array>({
        write: (chunk) => step(() => requirePart().append(chunk, archive)),
        close: () => step(commit),
      }, new ByteLengthQueuingStrategy({ highWaterMark: QUEUE_BYTES })),
      chunks: "borrowed",
      restart: () => step(restart),
      received: () => part?.bytes() ?? readRegularFile(path, ending.signal),
    },
    facts() {
      if (facts === undefined) throw new HpcaiError(`${path} is not saved yet`);
      return facts;
    },
    release: (isInvalid = false) => released ??= release(isInvalid),
  };
}

/** What an earlier save left of a checkpoint. */
interface Found {
  /** The record of the file at the path, where it is that checkpoint's archive and unchanged. */
  readonly saved: ArchiveRecord | undefined;
  /** Whether a save has begun that has not ended. */
  readonly hasPart: boolean;
}

async function findSaved(
  path: string,
  checkpoint: CheckpointIds,
  { directory }: PathClaim,
): Promise<Found> {
  const file = await statusOf(path);
  const partRecord = await readArchiveRecord(partRecordPath(directory), checkpoint);
  if (partRecord !== undefined && isOfFile(partRecord, file)) {
    // The process ended after the file had got its name.
    await retirePart(directory, true);
    return { saved: partRecord, hasPart: false };
  }
  const record = await readArchiveRecord(fileRecordPath(directory), checkpoint);
  const isSaved = record !== undefined && isOfFile(record, file);
  return { saved: isSaved ? record : undefined, hasPart: partRecord !== undefined };
}

/** Where the record of the file under its final name is. */
function fileRecordPath(directory: string): string {
  return join(directory, "file.json");
}

/** Removes a part whose archive has got its name. Its record, if there is one, becomes the file's. */
async function retirePart(directory: string, hasRecord: boolean): Promise<void> {
  if (hasRecord) await rename(partRecordPath(directory), fileRecordPath(directory));
  else await rm(fileRecordPath(directory), { force: true });
  await removeUnnamed(directory);
}

/** Removes what has not got a final name, or has got it as another one. */
async function removeUnnamed(directory: string): Promise<void> {
  await removePart(directory);
  await rm(convertedPath(directory), { force: true });
}

/** Where an archive is whose format its name does not allow. */
function convertedPath(directory: string): string {
  return join(directory, "converted");
}

/** What a file is that exists. */
async function factsOf(
  path: string,
  isHashed: boolean,
  signal: AbortSignal,
): Promise<SavedFileFacts> {
  const file = await openRegularFile(path, "read");
  if (file === undefined) throw new HpcaiError(`${path} is no file any more`);
  try {
    const hash = isHashed ? createHash("sha256") : undefined;
    for await (const chunk of hash === undefined ? [] : readBytes(file, Infinity, signal)) {
      hash?.update(chunk);
    }
    const { size } = await statusOfOpen(file);
    return { size, format: await formatOf(file), sha256: hash?.digest("hex") };
  } finally {
    await file.close();
  }
}

/** A file that only needs its name. */
interface UnnamedFile extends Omit<SavedFileFacts, "size"> {
  readonly path: string;
  readonly status: FileStatus;
}

/** Makes the file of a finished part: that itself, or another one of the format that the name says. */
async function toFile(
  part: PartFile,
  status: FileStatus,
  path: string,
  { directory, fileMode }: PathClaim,
  isHashed: boolean,
  signal: AbortSignal,
): Promise<UnnamedFile> {
  const format = await part.format();
  const wanted = formatOfName(path) ?? format;
  if (format === wanted || format === "unknown" || wanted === "unknown") {
    await part.setMode(fileMode);
    return { path: partPath(directory), status, format, sha256: part.sha256() };
  }
  const converted = convertedPath(directory);
  await rm(converted, { force: true });
  const file = await createPrivateFile(converted);
  try {
    const hash = isHashed ? createHash("sha256") : undefined;
    await convertArchive(part.bytes(), wanted, file, hash, signal);
    await file.chmod(fileMode);
    await file.sync();
    const sha256 = hash?.digest("hex");
    return { path: converted, status: await statusOfOpen(file), format: wanted, sha256 };
  } catch (error) {
    await rm(converted, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

/**
 * Gives a file its final name, atomically.
 *
 * Whoever takes over moves the directory that the file is in, so that the name is given only by who has
 * not lost the claim, however long it was suspended before.
 */
async function publish(
  { path, status: { identity } }: UnnamedFile,
  to: string,
  overwrite: boolean,
  claim: PathClaim,
): Promise<void> {
  await syncDirectory(claim.directory);
  await claim.confirm();
  const replaced = await statusOf(to);
  requireReplaceable(to, replaced);
  if (replaced !== undefined && !overwrite) throw createdMeanwhileError(to);
  await requireIdentity(path, identity);
  await (overwrite ? rename(path, to) : nameNew(path, to, identity));
  await requireIdentity(to, identity);
  await syncDirectory(dirname(to));
}

/** Gives a file a name that nothing has, even if something gets it at the same moment. */
async function nameNew(path: string, to: string, identity: string): Promise<void> {
  try {
    await link(path, to);
  } catch (error) {
    if (isCode(error, "ENOENT")) throw error;
    if (!isCode(error, "EEXIST")) return await rename(path, to); // It cannot make hard links.
    // Over a network, the second attempt of one that succeeded may be what fails.
    if ((await statusOf(to))?.identity !== identity) throw createdMeanwhileError(to);
  }
}

async function requireIdentity(path: string, identity: string): Promise<void> {
  if ((await statusOf(path))?.identity === identity) return;
  throw new HpcaiError(`Cannot save ${path}: another process has replaced the file`);
}

/** Throws unless what exists at a path is a file. */
function requireReplaceable(path: string, found: FileStatus | undefined): void {
  if (found === undefined || found.kind === "file") return;
  throw new InvalidArgumentError("path", `${path} is a ${found.kind}, not a file`);
}

function createdMeanwhileError(path: string): PathExistsError {
  return existsError(path, "was created by another process during the download");
}

function existsError(path: string, problem: string): PathExistsError {
  return new PathExistsError("path", `${path} ${problem}`, {
    advice: "Save to another path, or replace it with the option overwrite.",
  });
}
