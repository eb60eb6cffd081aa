import { link, mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { inspect } from "../arguments.ts";
import { HpcaiError, UnsafeArchiveError } from "../errors.ts";
import { syncDirectory } from "./directory.ts";
import type { DirectoryEntry } from "./directory_sink.ts";
import { isErrno } from "./errno.ts";
import { isRoot, requireInside, safeSegments } from "./entry_path.ts";
import { createFile, writeBytes } from "./regular_file.ts";

/** The owner's permission to execute; a file that has it is created with {@linkcode EXECUTABLE_MODE}. */
const EXECUTABLE_BY_OWNER = 0o100;
const FILE_MODE = 0o666;
const EXECUTABLE_MODE = 0o777;

/** Writes entries into a directory. */
export interface EntryWriter {
  /**
   * Writes an entry.
   *
   * @returns Its path in the directory; `undefined` if `strip` left no name.
   * @throws {UnsafeArchiveError} if it could be outside of the directory, or has the name of another.
   */
  write(entry: DirectoryEntry): Promise<string | undefined>;
  /** Syncs the names of all entries, so that they survive a power failure. */
  syncDirectories(): Promise<void>;
}

/**
 * Makes a writer into an empty directory that no other program writes to.
 *
 * Nothing is written through a link: each directory on the path of an entry was created by the writer
 * under the same name, and each file is created, never opened.
 *
 * @param root The directory.
 * @param strip How many leading segments to remove from each name.
 * @param maxEntries The maximum number of directories, files and links to create.
 */
export function entryWriter(root: string, strip: number, maxEntries: number): EntryWriter {
  const createdKinds = new Map<string, "directory" | "file" | "symlink">();

  const makeParents = async (segments: readonly string[], entry: string): Promise<void> => {
    if (createdKinds.get(segments.join("/")) === "directory") return;
    for (let length = 1; length <= segments.length; length++) {
      const path = segments.slice(0, length).join("/");
      const kind = createdKinds.get(path);
      if (kind === "directory") continue;
      if (kind !== undefined) {
        throw new UnsafeArchiveError(entry, `it would be written through the ${kind} ${path}`);
      }
      // A single name can have thousands of segments.
      if (createdKinds.size >= maxEntries) {
        throw new UnsafeArchiveError(
          entry,
          `it needs more than ${maxEntries} entries (maxEntries)`,
          { advice: "Increase maxEntries if so many are expected." },
        );
      }
      await createUnique(mkdir(join(root, path)), entry);
      createdKinds.set(path, "directory");
    }
  };

  const writeFile = async (
    path: string,
    { path: name, body, mode, size }: DirectoryEntry,
  ): Promise<void> => {
    const isExecutable = (mode & EXECUTABLE_BY_OWNER) !== 0;
    const file = await createUnique(
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
          `Cannot write ${inspect(name)}: it has ${length} bytes instead of ${size}`,
        );
      }
      // The directory gets its name only after this, so that a power failure leaves no incomplete file.
      await file.sync();
    } finally {
      await file.close();
    }
  };

  const linkFile = async (path: string, target: string, entry: string): Promise<void> => {
    const existing = safeSegments(target, entry, "target").slice(strip).join("/");
    if (createdKinds.get(existing) !== "file") {
      throw new UnsafeArchiveError(entry, `its target ${target} is not a file of an earlier entry`);
    }
    await createUnique(link(join(root, existing), join(root, path)), entry);
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
      if (createdKinds.has(path)) {
        throw new UnsafeArchiveError(name, "its name is that of another entry");
      }
      const parents = segments.slice(0, -1);
      if (type === "symlink") {
        requireInside(linkTarget, parents.length, name);
        await makeParents(parents, name);
        await createUnique(symlink(linkTarget, join(root, path)), name);
        createdKinds.set(path, "symlink");
        return path;
      }
      await makeParents(parents, name);
      if (type === "file") await writeFile(path, entry);
      else await linkFile(path, linkTarget, name);
      createdKinds.set(path, "file");
      return path;
    },
    async syncDirectories() {
      for (const [path, kind] of createdKinds) {
        if (kind === "directory") await syncDirectory(join(root, path));
      }
      await syncDirectory(root);
    },
  };
}

/** Fails if the name is taken: a file system may ignore case or Unicode normalization. */
async function createUnique<T>(creating: Promise<T>, entry: string): Promise<T> {
  try {
    return await creating;
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error;
    throw new UnsafeArchiveError(
      entry,
      "this file system treats its name as that of another entry",
    );
  }
}
