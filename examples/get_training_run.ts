/**
 * Gets the details of a training run.
 *
 *     deno task example examples/get_training_run.ts [TRAINING_RUN_ID]
 */
import { connect } from "./connect.ts";

const [trainingRunId = "eb78693b-380d-40f8-a709-ffe0da185718"] = Deno.args;

connect().getTrainingRun$(trainingRunId).subscribe((run) => {
  console.log(`Training Run ID: ${run.trainingRunId}`);
  console.log(`Base Model: ${run.baseModel}`);
  console.log(`Is LoRA: ${run.isLora}`);
  if (run.isLora) console.log(`LoRA Rank: ${run.loraRank}`);
  console.log(`Owner: ${run.modelOwner ?? "unknown"}`);
  console.log(`Last Request: ${run.lastRequestTime?.toISOString() ?? "unknown"}`);
  console.log(`Corrupted: ${run.corrupted}`);
});
