import { concat, concatMap, defer, map, type Observable, of } from "rxjs";
import { parseCheckpointPath } from "../checkpoint_path.ts";
import { HpcaiError } from "../errors.ts";
import type { RestClient } from "../rest_client.ts";
import type { Checkpoint, CheckpointIds, CheckpointRef, CheckpointType } from "../types.ts";
import {
  saveArchive$,
  type SaveCompleteEvent,
  type SaveEvent,
  type SaveOptions,
  validateSave,
} from "./save_archive.ts";

/** How to save the backup; it is always verified. */
export type DeleteWithBackupOptions = Omit<SaveOptions, "verify">;

/** The checkpoint has been deleted; its backup is complete and verified. */
export interface CheckpointDeletedEvent extends Omit<SaveCompleteEvent, "type"> {
  /** Distinguishes the events. */
  readonly type: "deleted";
  /** The deleted checkpoint, as its run listed it. */
  readonly checkpoint: Checkpoint;
}

/** The events of a deletion with a backup: those of saving, then `deleted` once. */
export type DeleteWithBackupEvent = SaveEvent | CheckpointDeletedEvent;

/** The listing of the run has no such checkpoint. Nothing was saved or deleted. */
export class CheckpointNotFoundError extends HpcaiError {
  /** The name of the class. */
  override name = "CheckpointNotFoundError";
  /** The run. */
  readonly trainingRunId: string;
  /** The id that the listing does not have. */
  readonly checkpointId: string;

  /**
   * Makes the error.
   *
   * @param ids The run, and the id that its listing does not have.
   */
  constructor({ trainingRunId, checkpointId }: CheckpointIds) {
    super(`Training run ${trainingRunId} has no checkpoint ${checkpointId}; nothing was deleted`, {
      advice: "List the checkpoints of the run with listCheckpoints$.",
    });
    this.trainingRunId = trainingRunId;
    this.checkpointId = checkpointId;
  }
}

/**
 * Deletes a checkpoint permanently once its archive is on disk and verified.
 *
 * It finds the checkpoint in the listing of its run, saves the archive, verifies it, and only then
 * deletes. If a step fails or is unsubscribed from, nothing is deleted.
 *
 * After a failure, run it again to resume from what is on disk, as `saveArchive$` does. Where only the
 * deletion failed, the backup is verified again but not downloaded again, if the server sends archives
 * with a strong `ETag`. With another server set `overwrite`, or delete with `deleteCheckpoint$`.
 *
 * Runs on Deno, Node and Bun. In Deno it needs the permissions to read and to write the directory.
 *
 * @param client The client that sends the requests.
 * @param checkpoint A checkpoint of a listing, its path, or its ids.
 * @param path Where to save, for example `backups/final.tar.gz`. Its directory is created.
 * @param options How to save, as for `saveArchive$`; `verify` is always on.
 * @returns Emits the events of `saveArchive$`, of which `complete` means that the backup is complete;
 * then `deleted`, and completes. Fails like `saveArchive$`; with a
 * {@linkcode CheckpointNotFoundError} if the run has no such checkpoint, or one of the other type; with
 * an `HpcaiError` if it has two, one of each type; with a `NotFoundError` if there is no such run; and
 * after `complete` like `deleteCheckpoint$`.
 *
 * @example
 * ```ts
 * import { RestClient } from "@hpcai/rx";
 * import { deleteWithBackup$ } from "@hpcai/rx/fs";
 * import { mkdtemp } from "node:fs/promises";
 * import { tmpdir } from "node:os";
 *
 * const client = new RestClient(); // the key is read from HPCAI_API_KEY
 * const checkpoint = "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010";
 * const directory = await mkdtemp(`${tmpdir()}/`);
 *
 * await deleteWithBackup$(client, checkpoint, `${directory}/step_0010.tar.gz`).forEach((event) => {
 *   if (event.type === "deleted") console.log(`deleted; its backup is ${event.path}`, event.sha256);
 *   else console.log(event.type, event.loaded);
 * });
 * ```
 */
export function deleteWithBackup$(
  client: RestClient,
  checkpoint: CheckpointRef,
  path: string,
  options: DeleteWithBackupOptions = {},
): Observable<DeleteWithBackupEvent> {
  return defer(() => {
    // Fails like saving, but before any request.
    const { ids } = validateSave(client, checkpoint, path, options);
    const { trainingRunId, checkpointId } = ids;
    return client.listCheckpoints$(trainingRunId).pipe(
      map(({ checkpoints }) => {
        const found = checkpoints.filter((listed) => listed.checkpointId === checkpointId);
        const [first] = found;
        if (first === undefined) throw new CheckpointNotFoundError(ids);
        // The routes of the API contain no type, so that it is unknown which one they save and delete.
        if (found.some(({ checkpointType }) => checkpointType !== first.checkpointType)) {
          throw new HpcaiError(
            `Training run ${trainingRunId} has checkpoints of both types with the id ` +
              `${checkpointId}; nothing was deleted`,
          );
        }
        if (first.checkpointType !== (checkpointTypeOf(checkpoint) ?? first.checkpointType)) {
          throw new CheckpointNotFoundError(ids);
        }
        return first;
      }),
      concatMap((found) =>
        saveArchive$(client, ids, path, { ...options, verify: true }).pipe(
          concatMap((event): Observable<DeleteWithBackupEvent> =>
            event.type !== "complete" ? of(event) : concat(
              of(event),
              client.deleteCheckpoint$(trainingRunId, checkpointId).pipe(
                map(() => ({ ...event, type: "deleted" as const, checkpoint: found })),
              ),
            )
          ),
        )
      ),
    );
  });
}

/** Returns the type of a checkpoint, where the reference has one; ids alone have none. */
function checkpointTypeOf(checkpoint: CheckpointRef): CheckpointType | undefined {
  if (typeof checkpoint === "string") return parseCheckpointPath(checkpoint).checkpointType;
  return "checkpointType" in checkpoint ? checkpoint.checkpointType : undefined;
}
