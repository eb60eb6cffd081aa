/**
 * Checkpoints as files: on `node:fs`, so that Deno, Node and Bun run the same code.
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
export { extractArchive$ } from "./extract_archive.ts";
export type {
  ExtractCompleteEvent,
  ExtractEntryEvent,
  ExtractEvent,
  ExtractOptions,
  ExtractPreparingEvent,
  ExtractProgressEvent,
} from "./extract_event.ts";
