/**
 * Deletes a checkpoint permanently.
 *
 *     deno task example examples/delete_checkpoint.ts [TRAINING_RUN_ID CHECKPOINT_ID]
 */
import { connect, embeddedDefault } from "./connect.ts";

const [
  trainingRunId = embeddedDefault("eb78693b-380d-40f8-a709-ffe0da185718"),
  checkpointId = embeddedDefault("step_0010"),
] = Deno.args;

connect().deleteCheckpoint$(trainingRunId, checkpointId).subscribe({
  next: () => console.log(`Checkpoint ${checkpointId} deleted successfully`),
  error: (error) => {
    console.error(`Failed to delete checkpoint: ${error.message}`);
    Deno.exitCode = 1;
  },
});
