/**
 * Deletes a checkpoint for good. With `HPCAI_API_KEY` set, the ids must be given.
 *
 *     deno task example examples/delete_checkpoint.ts [TRAINING_RUN_ID CHECKPOINT_ID]
 */
import { connect, inFakeOnly } from "./connect.ts";

const [
  trainingRunId = inFakeOnly("eb78693b-380d-40f8-a709-ffe0da185718"),
  checkpointId = inFakeOnly("step_0010"),
] = Deno.args;

connect().deleteCheckpoint$(trainingRunId, checkpointId).subscribe({
  next: () => console.log(`Checkpoint ${checkpointId} deleted successfully`),
  error: (error) => {
    console.error(`Failed to delete checkpoint: ${error.message}`);
    Deno.exitCode = 1;
  },
});
