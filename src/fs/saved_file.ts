import { rm } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { ArchiveSink } from "../download/archive_sink.ts";
import type { ArchivePosition } from "../download/archive_source.ts";
import { HpcaiError, InvalidArchiveError, UnsafeArchiveError } from "../errors.ts";
import type { CheckpointIds } from "../types.ts";
import type { ArchiveRecord } from "./archive_record.ts";
import { commitPart, type SavedFileFacts, type SaveSettings } from "./commit_part.ts";
import { makeDirectory } from "./directory.ts";
import { fileDigest } from "./file_digest.ts";
import { detectFormat } from "./file_format.ts";
import { statusOf, statusOfOpen } from "./file_status.ts";
import { existsError, requireReplaceable } from "./name_file.ts";
import { openPartFile, type PartFile } from "./part_file.ts";
import { claimPath, type PathClaim } from "./path_claim.ts";
import { toPathError } from "./path_errors.ts";
import { openRegularFile, readRegularFile } from "./regular_file.ts";
import { fileRecordPath, findSaveState, removeWorkFiles } from "./save_state.ts";
import type { StateLocation } from "./state_directory.ts";
import { verifyArchive } from "./verify_archive.ts";

/** A file that gets its name once it is complete. */
export interface SavedFile {
  /** The bytes that exist already. */
  readonly position: ArchivePosition | undefined;
  /** Writes the bytes after those; once it is closed, the file has its name. */
  readonly sink: ArchiveSink;
  /** Returns the facts of the file, once the sink is closed. */
  facts(): SavedFileFacts;
  /**
   * Releases the path; keeps what a later save can resume, unless the sink is closed. Never fails.
   *
   * @param error Why the transfer failed, if it did. The bytes of an invalid archive are removed.
   */
  release(error?: unknown): Promise<void>;
}

/**
 * The stages of a save:
 *
 * - `kept`: the file at the path is the archive, so that the server only has to confirm that. If the
 *   archive has changed there, and the file is to be replaced, `restart` leads to `part`.
 * - `part`: the bytes arrive in a part. Closing the sink leads to `committed`.
 * - `committed`: the file has its name, and the claim is released.
 */
type SaveStage =
  | { readonly name: "kept"; readonly record: ArchiveRecord; readonly facts: SavedFileFacts }
  | { readonly name: "part"; readonly part: PartFile }
  | { readonly name: "committed"; readonly facts: SavedFileFacts };

/** The parts of a save that do not change. */
interface Save {
  readonly path: string;
  readonly checkpoint: CheckpointIds;
  readonly settings: SaveSettings;
  readonly claim: PathClaim;
  /** Aborts once the save is released; then no step begins and all reading ends. */
  readonly ending: AbortController;
}

/** How many bytes may wait for the disk, so that disk and network overlap. */
const QUEUE_BYTES = 512 * 1024;

/**
 * Opens the file of a save: what an earlier save left, or a new one.
 *
 * @param signal Aborts the opening.
 * @param state Where the state is kept. Default: in the directory of the file.
 * @throws {InvalidArgumentError} if what exists at `path` must not be replaced.
 * @throws {HpcaiError} if another process saves to `path`, or the file system fails.
 */
export async function openSavedFile(
  path: string,
  checkpoint: CheckpointIds,
  settings: SaveSettings,
  signal: AbortSignal,
  state: StateLocation = { root: dirname(path), name: basename(path) },
): Promise<SavedFile> {
  const ending = new AbortController();
  const end = () => ending.abort();
  signal.addEventListener("abort", end);
  try {
    // Before anything is created that would have to be removed.
    requireReplaceable(path, await statusOf(path));
    await makeDirectory(dirname(path));
    const claim = await claimPath(state, ending.signal);
    const save: Save = { path, checkpoint, settings, claim, ending };
    try {
      return savedFile(save, await firstStage(save));
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

function savedFile(save: Save, first: SaveStage): SavedFile {
  const { path, claim, ending } = save;
  let stage = first;
  let current: Promise<void> = Promise.resolve();
  let released: Promise<void> | undefined;

  /** Runs a step, which `release` waits for; fails if it was released. */
  const runStep = (run: () => Promise<void>): Promise<void> =>
    current = (async () => {
      try {
        ending.signal.throwIfAborted();
        await run();
      } catch (error) {
        throw toPathError(`Cannot save ${path}`, await claim.reasonFor(error));
      }
    })();

  const release = async (error: unknown): Promise<void> => {
    ending.abort();
    await current.catch(() => {});
    if (stage.name === "part") {
      const { part } = stage;
      await (isInvalidArchive(error) ? part.remove() : part.closeForResume()).catch(() => {});
    }
    await claim.release();
  };

  return {
    position: positionOf(stage),
    sink: {
      begin(archive) {
        if (stage.name === "part") stage.part.begin(archive);
        return Promise.resolve();
      },
      writable: new WritableStream<Uint8Array>({
        write: (chunk) => runStep(() => partOf(stage, path).append(chunk)),
        close: () =>
          runStep(async () => {
            stage = { name: "committed", facts: await commit(stage, save) };
            await claim.sweep;
            await claim.release();
          }),
      }, new ByteLengthQueuingStrategy({ highWaterMark: QUEUE_BYTES })),
      chunks: "borrowed",
      restart: () =>
        runStep(async () => {
          stage = await restart(stage, save);
        }),
      readBack: () =>
        stage.name === "part" ? stage.part.bytes() : readRegularFile(path, ending.signal),
    },
    facts() {
      if (stage.name === "committed") return stage.facts;
      throw new HpcaiError(`Cannot read ${path}: it is not saved yet`);
    },
    release: (error) => released ??= release(error),
  };
}

/** Finds what earlier saves left of the archive. */
async function firstStage(save: Save): Promise<SaveStage> {
  const { path, checkpoint, settings: { overwrite, sha256 }, claim, ending } = save;
  const { fileRecord, hasPart } = await findSaveState(path, checkpoint, claim.directory);
  if (fileRecord !== undefined && !(overwrite && hasPart)) {
    // A process that was killed right after it had named the file may have left them.
    if (!hasPart) await removeWorkFiles(claim.directory);
    return { name: "kept", record: fileRecord, facts: await factsOf(path, sha256, ending.signal) };
  }
  if (!overwrite && await statusOf(path) !== undefined) {
    throw existsError(path, "exists and is not known to be this archive");
  }
  return { name: "part", part: await openPart(save) };
}

function openPart({ path, checkpoint, settings, claim, ending }: Save): Promise<PartFile> {
  const identity = { name: basename(path), ...checkpoint };
  return openPartFile(claim, identity, settings.sha256, ending.signal);
}

function positionOf(stage: SaveStage): ArchivePosition | undefined {
  if (stage.name === "part") return stage.part.position;
  if (stage.name === "committed") return undefined;
  const { etag, synced } = stage.record;
  return { loaded: synced, total: synced, etag };
}

function partOf(stage: SaveStage, path: string): PartFile {
  if (stage.name === "part") return stage.part;
  throw new HpcaiError(`Cannot save ${path}: the file has fewer bytes than the server sends`);
}

/** Drops all bytes of the archive, so that it can be written from its first byte. */
async function restart(stage: SaveStage, save: Save): Promise<SaveStage> {
  if (stage.name === "kept" && !save.settings.overwrite) {
    throw existsError(save.path, "is an archive that has changed on the server");
  }
  const part = stage.name === "part" ? stage.part : await openPart(save);
  await part.restart();
  return { name: "part", part };
}

/** Completes the file, after the server has confirmed that it has all bytes. */
async function commit(stage: SaveStage, save: Save): Promise<SavedFileFacts> {
  const { path, settings, claim, ending: { signal } } = save;
  if (stage.name === "part") return await commitPart(stage.part, path, settings, claim, signal);
  try {
    if (settings.verify) await verifyArchive(readRegularFile(path, signal));
  } catch (error) {
    // The file stays, but no later save treats it as the archive.
    const isInvalid = !signal.aborted && isInvalidArchive(error);
    if (isInvalid) await rm(fileRecordPath(claim.directory), { force: true });
    throw error;
  }
  return stage.facts;
}

function isInvalidArchive(error: unknown): boolean {
  return error instanceof InvalidArchiveError || error instanceof UnsafeArchiveError;
}

/** Reads the facts of a file that exists. */
async function factsOf(
  path: string,
  hasDigest: boolean,
  signal: AbortSignal,
): Promise<SavedFileFacts> {
  const file = await openRegularFile(path, "read");
  if (file === undefined) throw new HpcaiError(`Cannot read ${path}: it is no longer a file`);
  try {
    const digest = fileDigest(hasDigest);
    await digest.updateFrom(file, Infinity, signal);
    const { size } = await statusOfOpen(file);
    return { size, format: await detectFormat(file), sha256: digest.sha256() };
  } finally {
    await file.close();
  }
}
