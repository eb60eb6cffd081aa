import type { BigIntStats } from "node:fs";
import { type FileHandle, lstat } from "node:fs/promises";
import { platform } from "node:process";

/** Owner and permissions mean nothing there. */
export const IS_WINDOWS = platform === "win32";

/** Write permission for the group and for others. */
const WRITABLE_BY_OTHERS = 0o022n;

/** What kind of file something is, in words for messages. */
export type FileKind = "file" | "directory" | "symbolic link" | "FIFO" | "socket" | "device";

/** What is known of a file. */
export interface FileStatus {
  /** Which file it is, whatever its name: its device and its inode. */
  readonly identity: string;
  readonly kind: FileKind;
  /** How many bytes it has. */
  readonly size: number;
  /** When it was last written to, in whole milliseconds since 1970: not all runtimes know more. */
  readonly mtimeMs: number;
  /** The permissions, as in `chmod`. */
  readonly mode: number;
  /** How many names it has. */
  readonly links: number;
  /** Who owns it. */
  readonly uid: number;
  /** Whether its group or others may write to it. */
  readonly isWritableByOthers: boolean;
}

/** Looks at what has a name, a link itself and not its target; `undefined` where nothing has it. */
export async function statusOf(path: string): Promise<FileStatus | undefined> {
  try {
    return toStatus(await lstat(path, { bigint: true }));
  } catch (error) {
    if (isCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** Looks at an open file. */
export async function statusOfOpen(file: FileHandle): Promise<FileStatus> {
  return toStatus(await file.stat({ bigint: true }));
}

function toStatus(stats: BigIntStats): FileStatus {
  return {
    identity: `${stats.dev}:${stats.ino}`,
    kind: kindOf(stats),
    size: Number(stats.size),
    mtimeMs: Number(stats.mtimeMs),
    mode: Number(stats.mode & 0o777n),
    links: Number(stats.nlink),
    uid: Number(stats.uid),
    isWritableByOthers: !IS_WINDOWS && (stats.mode & WRITABLE_BY_OTHERS) !== 0n,
  };
}

function kindOf(stats: BigIntStats): FileKind {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "directory";
  if (stats.isSymbolicLink()) return "symbolic link";
  if (stats.isFIFO()) return "FIFO";
  if (stats.isSocket()) return "socket";
  return "device";
}

/** Whether an error is the operating system's of that code. */
export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
