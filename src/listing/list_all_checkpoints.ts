import { catchError, defer, EMPTY, map, mergeAll, type Observable } from "rxjs";
import { requireInteger, requireOptions } from "../arguments.ts";
import { NotFoundError } from "../errors.ts";
import type { CheckpointsListResponse, RunCheckpoint, TrainingRun } from "../types.ts";
import { mergeMapInOrder } from "./merge_map_in_order.ts";

/** Options of listing the checkpoints of all training runs. */
export interface ListAllCheckpointsOptions {
  /** How many runs' checkpoints are requested concurrently. Default 4. */
  readonly concurrency?: number | undefined;
}

const DEFAULT_CONCURRENCY = 4;

/** Lists the checkpoints of each run; implements `RestClient.listAllCheckpoints$`. */
export function listAllCheckpoints$(
  runs$: Observable<TrainingRun>,
  listCheckpoints$: (trainingRunId: string) => Observable<CheckpointsListResponse>,
  options: ListAllCheckpointsOptions = {},
): Observable<RunCheckpoint> {
  return defer(() => {
    requireOptions("options", options);
    const { concurrency = DEFAULT_CONCURRENCY } = options;
    requireInteger("concurrency", concurrency, 1);
    return runs$.pipe(
      mergeMapInOrder((trainingRun) =>
        listCheckpoints$(trainingRun.trainingRunId).pipe(
          map(({ checkpoints }) =>
            checkpoints.map((checkpoint) => ({ ...checkpoint, trainingRun }))
          ),
          // The run was deleted after it was listed.
          catchError((error) => {
            if (error instanceof NotFoundError) return EMPTY;
            throw error;
          }),
        ), concurrency),
      mergeAll(),
    );
  });
}
