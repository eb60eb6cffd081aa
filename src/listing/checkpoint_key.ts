import type { Checkpoint } from "../types.ts";

/** Returns a checkpoint's unique key. It includes the type, since ids are unique only within a type. */
export function checkpointKey(checkpoint: Checkpoint): string {
  const { trainingRunId, checkpointType, checkpointId } = checkpoint;
  return JSON.stringify([trainingRunId, checkpointType, checkpointId]);
}
