import type { Checkpoint } from "../types.ts";

/**
 * Orders checkpoints by time, the latest first and those without a time last; those of one time by id,
 * the last first.
 */
export function latestFirst(a: Checkpoint, b: Checkpoint): number {
  // The difference is NaN, which is as good as 0 here, where both have no time.
  return (b.time?.getTime() ?? -Infinity) - (a.time?.getTime() ?? -Infinity) ||
    (a.checkpointId < b.checkpointId ? 1 : a.checkpointId > b.checkpointId ? -1 : 0);
}
