/**
 * Saves, extracts and backs up checkpoints as files, on `node:fs`, in Deno, Node and Bun.
 *
 * @example
 * ```ts
 * import { RestClient } from "@hpcai/rx";
 * import { extractArchive$, saveArchive$ } from "@hpcai/rx/fs";
 * import { mkdtemp } from "node:fs/promises";
 * import { tmpdir } from "node:os";
 * import { lastValueFrom } from "rxjs";
 *
 * const client = new RestClient(); // the key is read from HPCAI_API_KEY
 * const checkpoint = "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/final";
 * const directory = await mkdtemp(`${tmpdir()}/`);
 *
 * await lastValueFrom(saveArchive$(client, checkpoint, `${directory}/final.tar.gz`)); // as a file
 * await lastValueFrom(extractArchive$(client, checkpoint, `${directory}/final`)); // or as a directory
 * ```
 *
 * @module
 */

export {
  saveArchive$,
  type SaveCompleteEvent,
  type SaveEvent,
  type SaveOptions,
} from "./save_archive.ts";
export {
  type CheckpointDeletedEvent,
  CheckpointNotFoundError,
  deleteWithBackup$,
  type DeleteWithBackupEvent,
  type DeleteWithBackupOptions,
} from "./delete_with_backup.ts";
export { PathExistsError } from "./path_errors.ts";
export { extractArchive$ } from "./extract_archive.ts";
export type {
  ExtractCompleteEvent,
  ExtractEntryEvent,
  ExtractEvent,
  ExtractOptions,
  ExtractPreparingEvent,
  ExtractProgressEvent,
  ExtractRestartEvent,
} from "./extract_event.ts";
export { fileSink, type FileSinkOptions } from "./file_sink.ts";
