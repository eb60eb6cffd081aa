import { UnsafeArchiveError } from "../errors.ts";

/** Whether a directory is the root of the archive: `.`, `./`, or the `/` of Python's `tarfile`. */
export function isRoot(path: string): boolean {
  return path.split("/").every((segment) => segment === "" || segment === ".");
}

/**
 * Splits an entry's name into segments, none of which can lead out of a directory on any system.
 *
 * @param path The name, or the target of a hard link, as in the archive.
 * @param entry The entry, for the error.
 * @param what Whether `path` is the entry's name or its target.
 * @throws {UnsafeArchiveError} if a segment could lead out.
 */
export function safeSegments(path: string, entry: string, what: "name" | "target"): string[] {
  const segments = path.split("/");
  const fault = path.includes("\0")
    ? "contains NUL"
    : path.includes("\\")
    ? "contains a backslash, which separates directories on Windows"
    : path.startsWith("/")
    ? "is absolute"
    : segments.some((segment) => /^[A-Za-z]:/.test(segment))
    ? "contains a drive letter"
    : segments.includes("..")
    ? "leads out of a directory with `..`"
    : undefined;
  if (fault !== undefined) throw new UnsafeArchiveError(entry, `its ${what} ${fault}`);
  return segments.filter((segment) => segment !== "" && segment !== ".");
}

/**
 * Checks that a symbolic link cannot lead out of the directory that the entries are written into.
 *
 * The target may go up from the link's directory at most to that directory, and then only down. A `..`
 * after a name is refused, since the name may be that of a link to another place.
 *
 * @param target What the link points to.
 * @param depth How many directories are above the link.
 * @param entry The entry, for the error.
 * @throws {UnsafeArchiveError} if the target could be outside of the directory.
 */
export function requireInside(target: string, depth: number, entry: string): void {
  const segments = target.split("/").filter((segment) => segment !== "" && segment !== ".");
  const up = segments.findIndex((segment) => segment !== "..");
  const names = up < 0 ? [] : segments.slice(up);
  if (target.startsWith("/")) throw new UnsafeArchiveError(entry, "its target is absolute");
  if (segments.length - names.length > depth) {
    throw new UnsafeArchiveError(entry, `its target ${target} is outside of the directory`);
  }
  safeSegments(names.join("/"), entry, "target");
}
