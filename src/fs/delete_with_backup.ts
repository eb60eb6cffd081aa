import { concat, concatMap, defer, map, type Observable, of } from "rxjs";
import { requireOptions } from "../arguments.ts";
import { checkpointIds, parseCheckpointPath } from "../checkpoint_path.ts";
import { transportOf } from "../transport/client_transport.ts";
import { transferSettings } from "../download/transfer_settings.ts";
import { HpcaiError } from "../errors.ts";
import type { RestClient } from "../rest_client.ts";
import type { Checkpoint, CheckpointIds, CheckpointRef, CheckpointType } from "../types.ts";
import {
  requireFilePath,
  saveArchive$,
  type SaveCompleteEvent,
  type SaveEvent,
  type SaveOptions,
} from "./save_archive.ts";

/** How to save the backup; it is always verified. */
export type DeleteWithBackupOptions = Omit<SaveOptions, "verify">;

/** The checkpoint is deleted for good, and its backup whole and verified. */
export interface CheckpointDeletedEvent extends Omit<SaveCompleteEvent, "type"> {
  /** Distinguishes the events. */
  readonly type: "deleted";
  /** What was deleted, as its run listed it. */
  readonly checkpoint: Checkpoint;
}

/** What a deletion with a backup emits: what saving emits, then once that the rest is done. */
export type DeleteWithBackupEvent = SaveEvent | CheckpointDeletedEvent;

/** A checkpoint is not in its run's listing. Nothing was saved or deleted. */
export class CheckpointNotFoundError extends HpcaiError {
  /** The name of the class. */
  override name = "CheckpointNotFoundError";
  /** The run that was looked in. */
  readonly trainingRunId: string;
  /** The id that was looked for. */
  readonly checkpointId: string;

  /**
   * Makes the error.
   *
   * @param ids The run that was looked in, and the id that was looked for.
   */
  constructor({ trainingRunId, checkpointId }: CheckpointIds) {
    super(
      `Training run ${trainingRunId} has no checkpoint ${checkpointId}; nothing was deleted`,
    );
    this.trainingRunId = trainingRunId;
    this.checkpointId = checkpointId;
  }
}

/**
 * Deletes a checkpoint for good once its archive is on disk: looks for it in its run's listing, saves
 * the archive, reads it through to its end, and only then deletes. If any of that fails, or is
 * unsubscribed from, nothing is deleted.
 *
 * Run it again after a failure, and it goes on with what is on disk, as `saveArchive$` does. Where
 * only the deletion failed, the backup stays, and is verified again but not fetched again, if the
 * server gives archives a strong `ETag`; from another server give `overwrite`, or delete by
 * `deleteCheckpoint$`.
 *
 * Runs on Deno, Node and Bun. In Deno it takes the permissions to read and to write the directory.
 *
 * @param client Whom to ask.
 * @param checkpoint Which checkpoint: its path, what a listing says of it, or its ids.
 * @param path Where to save, for example `backups/final.tar.gz`. Its directory is made.
 * @param options How to save, as for `saveArchive$`, but `verify` is always on.
 * @returns Emits what `saveArchive$` emits, of which `complete` says that the backup is done; then
 * `deleted`, and completes. Fails as `saveArchive$` does; with a
 * {@linkcode CheckpointNotFoundError} if the run has no such checkpoint, or one of the other type, an
 * `HpcaiError` if it has two, one of each type, a `NotFoundError` if there is no such run; and after
 * `complete` as `deleteCheckpoint$` does.
 *
 * @example
 * ```ts
 * import { RestClient } from "@hpcai/rx";
 * import { deleteWithBackup$ } from "@hpcai/rx/fs";
 * import { FakeHpcai } from "@hpcai/rx/testing";
 * import { mkdtemp } from "node:fs/promises";
 * import { tmpdir } from "node:os";
 *
 * // The fake API stands in for the real one; `new RestClient()` reaches that.
 * const fake = new FakeHpcai();
 * const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch });
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
    // What saving would refuse, before anything is asked for.
    requireOptions("options", options);
    const ids = checkpointIds(checkpoint);
    transportOf(client);
    transferSettings(options);
    requireFilePath(path);
    const { trainingRunId, checkpointId } = ids;
    return client.listCheckpoints$(trainingRunId).pipe(
      map(({ checkpoints }) => {
        const found = checkpoints.filter((listed) => listed.checkpointId === checkpointId);
        const [first] = found;
        if (first === undefined) throw new CheckpointNotFoundError(ids);
        // The API's routes name no type: which one is saved, and which deleted, nobody could tell.
        if (found.some(({ checkpointType }) => checkpointType !== first.checkpointType)) {
          throw new HpcaiError(
            `Training run ${trainingRunId} has checkpoints of both types with the id ` +
              `${checkpointId}; nothing was deleted`,
          );
        }
        if (first.checkpointType !== (typeOf(checkpoint) ?? first.checkpointType)) {
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

/** The type that a reference names, which the API's routes leave out; ids alone name none. */
function typeOf(checkpoint: CheckpointRef): CheckpointType | undefined {
  if (typeof checkpoint === "string") return parseCheckpointPath(checkpoint).checkpointType;
  return "checkpointType" in checkpoint ? checkpoint.checkpointType : undefined;
}
