import { catchError, defer, from, map, mergeMap, type Observable, of } from "rxjs";
import { requireBoolean, requireInteger, requireIterable, requireOptions } from "../arguments.ts";
import type { CheckpointRef } from "../types.ts";

/** How to delete checkpoints. */
export interface DeleteCheckpointsOptions {
  /** How many deletions may be under way at once. Default 4. */
  readonly concurrency?: number | undefined;
  /** Whether to only say what would be deleted, and send nothing. Default `false`. */
  readonly dryRun?: boolean | undefined;
}

/** A checkpoint is deleted for good. */
export interface DeletedResult {
  /** Tells the results apart. */
  readonly type: "deleted";
  /** The checkpoint, as it was given. */
  readonly checkpoint: CheckpointRef;
}

/** A checkpoint could not be deleted. */
export interface DeleteFailedResult {
  /** Tells the results apart. */
  readonly type: "failed";
  /** The checkpoint, as it was given. */
  readonly checkpoint: CheckpointRef;
  /** What `deleteCheckpoint$` failed with, or why what was given names no checkpoint. */
  readonly error: unknown;
}

/** A checkpoint would be deleted, were it not for `dryRun`. */
export interface DeletePlannedResult {
  /** Tells the results apart. */
  readonly type: "planned";
  /** The checkpoint, as it was given. */
  readonly checkpoint: CheckpointRef;
}

/** What became of one checkpoint. */
export type DeleteResult = DeletedResult | DeleteFailedResult | DeletePlannedResult;

const DEFAULT_CONCURRENCY = 4;

/**
 * Deletes checkpoints; what `RestClient.deleteCheckpoints$` promises.
 *
 * @param delete$ Makes the cold Observable that deletes one; throws for what names no checkpoint.
 */
export function deleteCheckpoints$(
  delete$: (checkpoint: CheckpointRef) => Observable<void>,
  checkpoints: Iterable<CheckpointRef>,
  options: DeleteCheckpointsOptions = {},
): Observable<DeleteResult> {
  return defer(() => {
    requireOptions("options", options);
    const { concurrency = DEFAULT_CONCURRENCY, dryRun = false } = options;
    requireInteger("concurrency", concurrency, 1);
    requireBoolean("dryRun", dryRun);
    requireIterable("checkpoints", checkpoints);
    const one$ = (checkpoint: CheckpointRef) =>
      defer(() => {
        const deletion$ = delete$(checkpoint);
        return dryRun ? of(undefined) : deletion$;
      }).pipe(
        map((): DeleteResult => ({ type: dryRun ? "planned" : "deleted", checkpoint })),
        catchError((error) => of<DeleteResult>({ type: "failed", checkpoint, error })),
      );
    // All of them first, so that nothing is deleted where the iterable throws.
    return from([...checkpoints]).pipe(mergeMap(one$, concurrency));
  });
}
