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
  /** Whether an existing directory is replaced, at the end. */
  readonly overwrite: boolean;
  /** How many leading segments to remove from each path. */
  readonly strip: number;
  /** The maximum number of entries to create, including directories that are only segments of paths. */
  readonly maxEntries: number;
  /** The maximum total length of the files, in bytes. */
  readonly maxBytes: number;
}

/** An entry that is in the directory; `path` is relative to it. */
export type WrittenEntry = Pick<DirectoryEntry, "path" | "type" | "size">;

/**
 * Writes entries into a new directory, which appears atomically.
 *
 * The directory gets its name once all entries are written and synced. If anything fails, nothing
 * remains, and an existing directory is unchanged.
 *
 * @param entries The entries. They are not trusted: one that could be written elsewhere is refused.
 * @param ending Is aborted at the end; abort it earlier to cancel.
 * @param onWritten Called for each entry that is written.
 * @throws {UnsafeArchiveError} if an entry is refused, or exceeds a limit.
 * @throws {PathExistsError} if the directory exists and `overwrite` is not set.
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
    await claim.sweep;
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

/** Throws if something exists at a path, unless it is a directory and `overwrite` is set. */
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
