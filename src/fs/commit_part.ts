import { rm } from "node:fs/promises";
import type { ArchiveFormat } from "../download/download_event.ts";
import { syncDirectory } from "./directory.ts";
import { fileDigest } from "./file_digest.ts";
import { convertArchive, formatOfName } from "./file_format.ts";
import { type FileStatus, statusOfOpen } from "./file_status.ts";
import { nameFile } from "./name_file.ts";
import type { PartFile } from "./part_file.ts";
import type { PathClaim } from "./path_claim.ts";
import { createPrivateFile } from "./regular_file.ts";
import { convertedPath, partPath, retirePart } from "./save_state.ts";
import { verifyArchive } from "./verify_archive.ts";

/** How to save: the options of the caller with their defaults. */
export interface SaveSettings {
  readonly overwrite: boolean;
  readonly sha256: boolean;
  readonly verify: boolean;
}

/** The facts of a file under its final name. */
export interface SavedFileFacts {
  /** The length in bytes. */
  readonly size: number;
  readonly format: ArchiveFormat;
  /** The SHA-256 in lower-case hex; `undefined` where the option is off. */
  readonly sha256: string | undefined;
}

/**
 * Turns a complete part into the file under its final name.
 *
 * It syncs, verifies, converts and names the file in the order of docs/design/saving.md, so that the next
 * save completes what a crash between any two steps leaves.
 *
 * @param signal Aborts all reading.
 * @throws {InvalidArchiveError} or {UnsafeArchiveError} if the bytes cannot be read as an archive.
 */
export async function commitPart(
  part: PartFile,
  path: string,
  { overwrite, sha256, verify }: SaveSettings,
  claim: PathClaim,
  signal: AbortSignal,
): Promise<SavedFileFacts> {
  const status = await part.finish();
  if (verify) await verifyArchive(part.bytes());
  const file = await toFile(part, status, path, claim, sha256, signal);
  const hasRecord = await part.recordFile(file.status);
  await part.close();
  await syncDirectory(claim.directory);
  // A process that takes over renames the directory of this file. So the file gets its name only while
  // the claim is held, however long this process was suspended before.
  await claim.confirm();
  await nameFile(file.path, path, file.status.identity, overwrite);
  await retirePart(claim.directory, hasRecord);
  return { size: file.status.size, format: file.format, sha256: file.sha256 };
}

/** A complete file without its final name. */
interface UnnamedFile extends Omit<SavedFileFacts, "size"> {
  readonly path: string;
  readonly status: FileStatus;
}

/** Makes the file of a finished part: the part itself, or its conversion to the format of the name. */
async function toFile(
  part: PartFile,
  status: FileStatus,
  path: string,
  { directory, fileMode }: PathClaim,
  hasDigest: boolean,
  signal: AbortSignal,
): Promise<UnnamedFile> {
  const format = await part.format();
  const nameFormat = formatOfName(path) ?? format;
  if (format === nameFormat || format === "unknown" || nameFormat === "unknown") {
    await part.setMode(fileMode);
    return { path: partPath(directory), status, format, sha256: part.sha256() };
  }
  const converted = convertedPath(directory);
  await rm(converted, { force: true });
  const file = await createPrivateFile(converted);
  try {
    const digest = fileDigest(hasDigest);
    await convertArchive(part.bytes(), nameFormat, file, digest, signal);
    await file.chmod(fileMode);
    await file.sync();
    const status = await statusOfOpen(file);
    return { path: converted, status, format: nameFormat, sha256: digest.sha256() };
  } catch (error) {
    await rm(converted, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}
