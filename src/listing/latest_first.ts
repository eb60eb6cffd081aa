import type { Checkpoint } from "../types.ts";

/** Orders checkpoints by time, the latest first; those of one time by id, the last first. */
export function latestFirst(a: Checkpoint, b: Checkpoint): number {
  return b.time.getTime() - a.time.getTime() ||
    (a.checkpointId < b.checkpointId ? 1 : a.checkpointId > b.checkpointId ? -1 : 0);
}
