/**
 * Deletes a checkpoint by its path permanently.
 *
 *     deno task example examples/delete_checkpoint_by_path.ts [CHECKPOINT_PATH]
 */
import { connect, embeddedDefault } from "./connect.ts";

const [
  checkpointPath = embeddedDefault(
    "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010",
  ),
] = Deno.args;

connect().deleteCheckpointByCheckpointPath$(checkpointPath).subscribe({
  next: () => console.log(`Checkpoint ${checkpointPath} deleted successfully`),
  error: (error) => {
    console.error(`Failed to delete checkpoint: ${error.message}`);
    Deno.exitCode = 1;
  },
});
