import { catchError, defer, from, map, mergeMap, type Observable, of } from "rxjs";
import { requireBoolean, requireInteger, requireIterable, requireOptions } from "../arguments.ts";
import type { CheckpointRef } from "../types.ts";

/** Options of deleting several checkpoints. */
export interface DeleteCheckpointsOptions {
  /** How many deletions may be in flight. Default 4. */
  readonly concurrency?: number | undefined;
  /** Whether to report the deletions without sending a request. Default `false`. */
  readonly dryRun?: boolean | undefined;
}

/** A checkpoint was deleted permanently. */
export interface DeletedResult {
  /** Distinguishes the results. */
  readonly type: "deleted";
  /** The value that was passed in. */
  readonly checkpoint: CheckpointRef;
}

/** A checkpoint could not be deleted. */
export interface DeleteFailedResult {
  /** Distinguishes the results. */
  readonly type: "failed";
  /** The value that was passed in. */
  readonly checkpoint: CheckpointRef;
  /** The error of `deleteCheckpoint$`, or the error of a value that does not name a checkpoint. */
  readonly error: unknown;
}

/** A checkpoint would be deleted without `dryRun`. */
export interface DeletePlannedResult {
  /** Distinguishes the results. */
  readonly type: "planned";
  /** The value that was passed in. */
  readonly checkpoint: CheckpointRef;
}

/** The result for one checkpoint. */
export type DeleteResult = DeletedResult | DeleteFailedResult | DeletePlannedResult;

const DEFAULT_CONCURRENCY = 4;

/**
 * Deletes checkpoints concurrently; implements `RestClient.deleteCheckpoints$`.
 *
 * @param delete$ Makes the cold Observable that deletes one checkpoint; throws if the value does not
 * name a checkpoint.
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
    const deleteOne$ = (checkpoint: CheckpointRef) =>
      defer(() => {
        const deletion$ = delete$(checkpoint);
        return dryRun ? of(undefined) : deletion$;
      }).pipe(
        map((): DeleteResult => ({ type: dryRun ? "planned" : "deleted", checkpoint })),
        catchError((error) => of<DeleteResult>({ type: "failed", checkpoint, error })),
      );
    // The iterable is read to its end first, so that nothing is deleted if it throws.
    return from([...checkpoints]).pipe(mergeMap(deleteOne$, concurrency));
  });
}
