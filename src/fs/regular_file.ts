import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { HpcaiError } from "../errors.ts";
import { type FileStatus, statusOf, statusOfOpen } from "./file_status.ts";

/** Flags to follow no link and to wait for no FIFO. Windows has neither. */
const SAFE_FLAGS = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/** How many bytes are read at a time. */
const CHUNK_BYTES = 256 * 1024;

/**
 * Creates a file. Fails if anything has that name.
 *
 * @param mode The permissions, before the umask.
 */
export function createFile(path: string, mode: number = 0o666): Promise<FileHandle> {
  return open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | SAFE_FLAGS, mode);
}

/** Creates a file that only its owner may read and write. Fails if anything has that name. */
export function createPrivateFile(path: string): Promise<FileHandle> {
  return createFile(path, 0o600);
}

/**
 * Opens an existing file to read it, or also to write to it.
 *
 * Resolves to `undefined` where there is none, something else has that name, or it is not accepted.
 *
 * @param isAccepted Whether to open a file with that status.
 */
export async function openRegularFile(
  path: string,
  access: "read" | "write",
  isAccepted: (status: FileStatus) => boolean = () => true,
): Promise<FileHandle | undefined> {
  const found = await statusOf(path);
  if (found?.kind !== "file" || !isAccepted(found)) return undefined;
  const flags = access === "read" ? constants.O_RDONLY : constants.O_RDWR;
  const file = await open(path, flags | SAFE_FLAGS);
  // Deno resolves links itself before it opens a file, so that O_NOFOLLOW alone is not enough.
  if ((await statusOfOpen(file)).identity === found.identity) return file;
  await file.close();
  return undefined;
}

/** Reads the first `end` bytes of an open file. Fails once the signal aborts. */
export async function* readBytes(
  file: FileHandle,
  end: number,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < end;) {
    signal?.throwIfAborted();
    const chunk = new Uint8Array(Math.min(CHUNK_BYTES, end - at));
    const { bytesRead } = await file.read(chunk, 0, chunk.byteLength, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield chunk.subarray(0, bytesRead);
  }
}

/** Reads an existing file to its end. Fails once the signal aborts. */
export async function* readRegularFile(
  path: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const file = await openRegularFile(path, "read");
  if (file === undefined) throw new HpcaiError(`Cannot read ${path}: it is no longer a file`);
  try {
    yield* readBytes(file, Infinity, signal);
  } finally {
    await file.close();
  }
}

/** Writes bytes at a position of an open file. */
export async function writeBytes(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let from = 0; from < bytes.byteLength;) {
    const rest = bytes.byteLength - from;
    from += (await file.write(bytes, from, rest, at + from)).bytesWritten;
  }
}
