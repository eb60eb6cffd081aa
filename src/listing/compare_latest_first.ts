import type { Checkpoint } from "../types.ts";

/**
 * Compares checkpoints by time, for sorting: the latest first, those without a time last, equal times
 * by descending id.
 */
export function compareLatestFirst(a: Checkpoint, b: Checkpoint): number {
  // The difference is NaN, which `||` treats as 0, where neither has a time.
  return (b.time?.getTime() ?? -Infinity) - (a.time?.getTime() ?? -Infinity) ||
    (a.checkpointId < b.checkpointId ? 1 : a.checkpointId > b.checkpointId ? -1 : 0);
}
