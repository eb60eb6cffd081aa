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
 * import { FakeHpcai } from "@hpcai/rx/testing";
 * import { assertEquals } from "@std/assert";
 * import { firstValueFrom } from "rxjs";
 *
 * const fake = new FakeHpcai();
 * const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch });
 *
 * const latest = await firstValueFrom(
 *   client.listCheckpoints$("eb78693b-380d-40f8-a709-ffe0da185718").pipe(
 *     latestCheckpoint("sampler"),
 *   ),
 * );
 * assertEquals(latest?.checkpointId, "step_0010-sampler");
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
