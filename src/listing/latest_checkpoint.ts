import { defer, map, type OperatorFunction } from "rxjs";
import { requireCheckpointType } from "../arguments.ts";
import type { Checkpoint, CheckpointsListResponse, CheckpointType } from "../types.ts";

/**
 * Finds the latest checkpoint of each listing that `listCheckpoints$` emits.
 *
 * @param type Only checkpoints of this type count, known or unknown. Default: all types.
 * @returns An operator that emits, for each listing, the checkpoint with the latest time; of several
 * with that time, the one whose id sorts last; one without a time only if no checkpoint has a time;
 * `undefined` if there is no checkpoint. It fails with an {@linkcode InvalidArgumentError} if the type
 * is not a string, or is empty.
 *
 * @example
 * ```ts
 * import { latestCheckpoint, RestClient } from "@hpcai/rx";
 * import { firstValueFrom } from "rxjs";
 *
 * const client = new RestClient();
 * const latest = await firstValueFrom(
 *   client.listCheckpoints$("eb78693b-380d-40f8-a709-ffe0da185718").pipe(
 *     latestCheckpoint("sampler"),
 *   ),
 * );
 * console.log(latest?.checkpointPath);
 * ```
 */
export function latestCheckpoint(
  type?: CheckpointType,
): OperatorFunction<CheckpointsListResponse, Checkpoint | undefined> {
  return (listing$) =>
    defer(() => {
      if (type !== undefined) requireCheckpointType("type", type);
      return listing$.pipe(
        map(({ checkpoints }) =>
          checkpoints.filter(({ checkpointType }) => checkpointType === (type ?? checkpointType))
            .sort(compareLatestFirst).at(0)
        ),
      );
    });
}

/**
 * Compares checkpoints by time, for sorting: the latest first, those without a time last, equal times
 * by descending id.
 */
export function compareLatestFirst(a: Checkpoint, b: Checkpoint): number {
  // Where neither has a time, the difference is NaN, which `||` treats as 0.
  return (b.time?.getTime() ?? -Infinity) - (a.time?.getTime() ?? -Infinity) ||
    (a.checkpointId < b.checkpointId ? 1 : a.checkpointId > b.checkpointId ? -1 : 0);
}
