import { defer, map, type OperatorFunction } from "rxjs";
import { requireCheckpointType } from "../arguments.ts";
import type { Checkpoint, CheckpointsListResponse, CheckpointType } from "../types.ts";
import { compareLatestFirst } from "./compare_latest_first.ts";

/**
 * Finds the latest checkpoint of each listing that `listCheckpoints$` emits.
 *
 * @param type Only checkpoints of this type count, known or unknown. Default: all types.
 * @returns An operator. It emits the checkpoint with the latest time; of several with that time, the
 * one whose id sorts last; one without a time only where no checkpoint has a time; `undefined` where
 * there is no checkpoint. It fails with an {@linkcode InvalidArgumentError} if the type is not a
 * string, or is empty.
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
