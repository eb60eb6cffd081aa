/**
 * Gets the training run of a checkpoint.
 *
 *     deno task example examples/get_training_run_by_checkpoint_path.ts [CHECKPOINT_PATH]
 */
import { connect } from "./connect.ts";

const [checkpointPath = "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010"] =
  Deno.args;

connect().getTrainingRunByCheckpointPath$(checkpointPath).subscribe((run) => {
  console.log(`Training Run ID: ${run.trainingRunId}`);
  console.log(`Base Model: ${run.baseModel}`);
  console.log(`Is LoRA: ${run.isLora}`);
  if (run.isLora) console.log(`LoRA Rank: ${run.loraRank}`);
});
