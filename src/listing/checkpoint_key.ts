import type { Checkpoint } from "../types.ts";

/** What identifies a checkpoint: two of different types can have one id, also within one run. */
export function checkpointKey(checkpoint: Checkpoint): string {
  const { trainingRunId, checkpointType, checkpointId } = checkpoint;
  return JSON.stringify([trainingRunId, checkpointType, checkpointId]);
}
