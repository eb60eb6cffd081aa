import { link, mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { show } from "../arguments.ts";
import { HpcaiError, UnsafeArchiveError } from "../errors.ts";
import { syncDirectory } from "./directory.ts";
import type { DirectoryEntry } from "./directory_sink.ts";
import { isErrno } from "./errno.ts";
import { isRoot, requireInside, safeSegments } from "./entry_path.ts";
import { createFile, writeBytes } from "./regular_file.ts";

/** Who may execute a file, and so everyone who may read it. */
const EXECUTABLE_BY_OWNER = 0o100;
const FILE_MODE = 0o666;
const EXECUTABLE_MODE = 0o777;

/** Writes entries into a directory. */
export interface EntryWriter {
  /**
   * Writes an entry.
   *
   * @returns Where it is, by its name in the directory; `undefined` if `strip` left no name.
   * @throws {UnsafeArchiveError} if it could be written elsewhere, or in another one's place.
   */
  write(entry: DirectoryEntry): Promise<string | undefined>;
  /** Makes sure that the names of all entries outlive a power failure. */
  syncDirectories(): Promise<void>;
}

/**
 * Makes a writer into a directory that is empty and nobody else's.
 *
 * Nothing is written through a link: each directory on the way to an entry is one that the writer has
 * made under that very name, and each file is made, never opened.
 *
 * @param root The directory.
 * @param strip How many parts to take off the front of each name.
 * @param maxEntries How many directories, files and links it makes at most.
 */
export function entryWriter(root: string, strip: number, maxEntries: number): EntryWriter {
  const made = new Map<string, "directory" | "file" | "symlink">();

  const makeParents = async (segments: readonly string[], entry: string): Promise<void> => {
    if (made.get(segments.join("/")) === "directory") return;
    for (let length = 1; length <= segments.length; length++) {
      const path = segments.slice(0, length).join("/");
      const kind = made.get(path);
      if (kind === "directory") continue;
      if (kind !== undefined) {
        throw new UnsafeArchiveError(entry, `it would be written through the ${kind} ${path}`);
      }
      // A single name can ask for thousands of them.
      if (made.size >= maxEntries) {
        throw new UnsafeArchiveError(
          entry,
          `it needs more than ${maxEntries} entries (maxEntries)`,
          { advice: "Increase maxEntries if so many are expected." },
        );
      }
      await unlessTaken(mkdir(join(root, path)), entry);
      made.set(path, "directory");
    }
  };

  const writeFile = async (
    path: string,
    { path: name, body, mode, size }: DirectoryEntry,
  ): Promise<void> => {
    const isExecutable = (mode & EXECUTABLE_BY_OWNER) !== 0;
    const file = await unlessTaken(
      createFile(join(root, path), isExecutable ? EXECUTABLE_MODE : FILE_MODE),
      name,
    );
    try {
      let length = 0;
      for await (const chunk of body) {
        await writeBytes(file, chunk, length);
        length += chunk.byteLength;
      }
      if (length !== size) {
        throw new HpcaiError(
          `Cannot write ${show(name)}: it has ${length} bytes instead of ${size}`,
        );
      }
      // The directory gets its name only after this, so that a power cut leaves no torn file in it.
      await file.sync();
    } finally {
      await file.close();
    }
  };

  const linkFile = async (path: string, target: string, entry: string): Promise<void> => {
    const existing = safeSegments(target, entry, "target").slice(strip).join("/");
    if (made.get(existing) !== "file") {
      throw new UnsafeArchiveError(entry, `its target ${target} is no file extracted before it`);
    }
    await unlessTaken(link(join(root, existing), join(root, path)), entry);
  };

  return {
    async write(entry) {
      const { path: name, type, linkTarget = "" } = entry;
      if (type === "directory" && isRoot(name)) return undefined;
      const segments = safeSegments(name, name, "name").slice(strip);
      const path = segments.join("/");
      if (type === "directory") {
        await makeParents(segments, name);
        return path === "" ? undefined : path;
      }
      if (type !== "file" && type !== "link" && type !== "symlink") {
        throw new UnsafeArchiveError(name, `it is a ${type}`);
      }
      if (path === "") return undefined;
      if (made.has(path)) throw new UnsafeArchiveError(name, "its name is that of another entry");
      const parents = segments.slice(0, -1);
      if (type === "symlink") {
        requireInside(linkTarget, parents.length, name);
        await makeParents(parents, name);
        await unlessTaken(symlink(linkTarget, join(root, path)), name);
        made.set(path, "symlink");
        return path;
      }
      await makeParents(parents, name);
      if (type === "file") await writeFile(path, entry);
      else await linkFile(path, linkTarget, name);
      made.set(path, "file");
      return path;
    },
    async syncDirectories() {
      for (const [path, kind] of made) {
        if (kind === "directory") await syncDirectory(join(root, path));
      }
      await syncDirectory(root);
    },
  };
}

/** Names that differ here may be one to the file system, by case or by Unicode normalization. */
async function unlessTaken<T>(making: Promise<T>, entry: string): Promise<T> {
  try {
    return await making;
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error;
    throw new UnsafeArchiveError(entry, "its name is that of another entry to this file system");
  }
}
