import type { BigIntStats } from "node:fs";
import { type FileHandle, lstat, stat } from "node:fs/promises";
import { platform } from "node:process";
import { isErrno } from "./errno.ts";

/** Whether this is Windows, where owner and permissions have no meaning. */
export const IS_WINDOWS = platform === "win32";

/** Write permission for the group and for others. */
const WRITABLE_BY_OTHERS = 0o022n;

/** The kind of a file, in words for messages. */
export type FileKind = "file" | "directory" | "symbolic link" | "FIFO" | "socket" | "device";

/** The status of a file. */
export interface FileStatus {
  /** Identifies the file under any name: its device and its inode. */
  readonly identity: string;
  readonly kind: FileKind;
  /** How many bytes it has. */
  readonly size: number;
  /** When it was last written to, in whole milliseconds since 1970: Deno has no finer time. */
  readonly mtimeMs: number;
  /** The permissions, as in `chmod`. */
  readonly mode: number;
  /** How many names it has. */
  readonly links: number;
  /** The user id of its owner. */
  readonly uid: number;
  /** Whether its group or others may write to it. */
  readonly isWritableByOthers: boolean;
}

/** Returns the status of the file at a path, or of the link there; `undefined` where there is none. */
export function statusOf(path: string): Promise<FileStatus | undefined> {
  return readStatus(lstat(path, { bigint: true }));
}

/** Returns the status of the file at a path, or of the target of a link; `undefined` where there is none. */
export function statusOfTarget(path: string): Promise<FileStatus | undefined> {
  return readStatus(stat(path, { bigint: true }));
}

async function readStatus(stats: Promise<BigIntStats>): Promise<FileStatus | undefined> {
  try {
    return toStatus(await stats);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** Returns the status of an open file. */
export async function statusOfOpen(file: FileHandle): Promise<FileStatus> {
  return toStatus(await file.stat({ bigint: true }));
}

function toStatus(stats: BigIntStats): FileStatus {
  return {
    identity: `${stats.dev}:${stats.ino}`,
    kind: fileKindOf(stats),
    size: Number(stats.size),
    mtimeMs: Number(stats.mtimeMs),
    mode: Number(stats.mode & 0o777n),
    links: Number(stats.nlink),
    uid: Number(stats.uid),
    isWritableByOthers: !IS_WINDOWS && (stats.mode & WRITABLE_BY_OTHERS) !== 0n,
  };
}

function fileKindOf(stats: BigIntStats): FileKind {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "directory";
  if (stats.isSymbolicLink()) return "symbolic link";
  if (stats.isFIFO()) return "FIFO";
  if (stats.isSocket()) return "socket";
  return "device";
}
