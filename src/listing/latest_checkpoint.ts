import { defer, map, type OperatorFunction } from "rxjs";
import { requireCheckpointType } from "../arguments.ts";
import type { Checkpoint, CheckpointsListResponse, CheckpointType } from "../types.ts";
import { latestFirst } from "./latest_first.ts";

/**
 * An operator that picks the latest of the checkpoints that `listCheckpoints$` emits.
 *
 * @param type Which type to look among, known or not. Default: all.
 * @returns Emits the checkpoint with the latest time, of those with the same time the one whose id
 * sorts last; one without a time only where none has one; `undefined` where there is none. Fails with
 * an {@linkcode InvalidArgumentError} if the type is no text, or empty.
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
            .sort(latestFirst).at(0)
        ),
      );
    });
}
