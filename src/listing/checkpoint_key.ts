import type { Checkpoint } from "../types.ts";

/** Returns a checkpoint's unique key. Two checkpoints of different types in one run can share an id. */
export function checkpointKey(checkpoint: Checkpoint): string {
  const { trainingRunId, checkpointType, checkpointId } = checkpoint;
  return JSON.stringify([trainingRunId, checkpointType, checkpointId]);
}
