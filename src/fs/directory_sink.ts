import { basename, dirname, resolve } from "node:path";
import { inspect } from "../arguments.ts";
import type { ArchiveEntry } from "../download/archive_entry.ts";
import { InvalidArgumentError, UnsafeArchiveError } from "../errors.ts";
import { makeDirectory } from "./directory.ts";
import { entryWriter } from "./entry_writer.ts";
import { statusOf } from "./file_status.ts";
import { claimPath, type PathClaim } from "./path_claim.ts";
import { PathExistsError } from "./path_errors.ts";
import {
  makeStagedDirectory,
  publishStagedDirectory,
  settleExtraction,
} from "./staged_directory.ts";

/** An entry to write into a directory; its source may be an archive, or one request for each file. */
export interface DirectoryEntry extends Pick<ArchiveEntry, "path" | "type" | "size" | "mode"> {
  /** What a symbolic or hard link (`symlink`, `link`) points to. */
  readonly linkTarget?: string | undefined;
  /** The bytes of a file; they are read before the next entry is requested. */
  readonly body: ReadableStream<Uint8Array>;
}

/** How to write a directory. */
export interface DirectorySettings {
  /** Whether a directory that exists is replaced, at the end. */
  readonly overwrite: boolean;
  /** How many segments to take off the front of each path. */
  readonly strip: number;
  /** The most entries that are made, with the directories that are only segments of paths. */
  readonly maxEntries: number;
  /** The most bytes that the files may have in total. */
  readonly maxBytes: number;
}

/** An entry that is in the directory; `path` is relative to it. */
export type WrittenEntry = Pick<DirectoryEntry, "path" | "type" | "size">;

/**
 * Writes entries into a new directory, which gets its name once all are written and synced, atomically.
 * If anything fails, nothing is left, and a directory that was to be replaced stays.
 *
 * @param entries The entries. None is trusted: one that could be written elsewhere is refused.
 * @param ending Aborts at the end of the writing; abort it earlier to end the writing.
 * @param onWritten Called for each entry that is written.
 * @throws {UnsafeArchiveError} if an entry is refused, or exceeds a limit.
 * @throws {PathExistsError} if the directory exists, and is not to be replaced.
 */
export async function writeDirectory(
  directory: string,
  entries: AsyncIterable<DirectoryEntry>,
  settings: DirectorySettings,
  ending: AbortController,
  onWritten: (entry: WrittenEntry) => void,
): Promise<void> {
  const target = resolve(directory);
  const state = { root: dirname(target), name: basename(target) };
  await makeDirectory(state.root);
  const claim = await claimPath(state, ending.signal);
  try {
    await writeStaged(entries, claim, settings, onWritten);
    ending.signal.throwIfAborted();
    await requireFree(directory, settings.overwrite);
    await publishStagedDirectory(claim, target, state.name);
    await claim.swept;
  } catch (error) {
    throw await claim.reasonFor(error);
  } finally {
    ending.abort();
    await settleExtraction(claim.directory, target).finally(() => claim.release());
  }
}

async function writeStaged(
  entries: AsyncIterable<DirectoryEntry>,
  claim: PathClaim,
  { strip, maxEntries, maxBytes }: DirectorySettings,
  onWritten: (entry: WrittenEntry) => void,
): Promise<void> {
  const writer = entryWriter(await makeStagedDirectory(claim), strip, maxEntries);
  let bytes = 0;
  for await (const entry of entries) {
    const { type, size } = entry;
    if (bytes + size > maxBytes) {
      const reason = `the files have more than ${maxBytes} bytes (maxBytes)`;
      throw new UnsafeArchiveError(entry.path, reason, {
        advice: "Increase maxBytes if that size is expected.",
      });
    }
    const path = await writer.write(entry);
    if (path === undefined) continue;
    bytes += size;
    onWritten({ path, type, size });
  }
  await writer.syncDirectories();
}

/** Throws if something exists at a path, unless it is a directory that is to be replaced. */
export async function requireFree(directory: string, overwrite: boolean): Promise<void> {
  const found = await statusOf(directory);
  if (found === undefined) return;
  if (found.kind !== "directory") {
    const problem = `${inspect(directory)} is a ${found.kind}, not a directory`;
    throw new InvalidArgumentError("directory", problem, {
      advice: "Choose another directory; only directories are replaced.",
    });
  }
  if (overwrite) return;
  throw new PathExistsError(
    "directory",
    `${inspect(directory)} exists`,
    { advice: "Choose another directory, or replace it with the option overwrite." },
  );
}
