/**
 * Finds the latest checkpoint of a training run.
 *
 *     deno task example examples/latest_checkpoint.ts [TRAINING_RUN_ID]
 */
import { latestCheckpoint } from "@hpcai/rx";
import { connect } from "./connect.ts";

const [trainingRunId = "eb78693b-380d-40f8-a709-ffe0da185718"] = Deno.args;

connect().listCheckpoints$(trainingRunId).pipe(
  latestCheckpoint(),
).subscribe((latest) => {
  if (latest === undefined) return console.log("The run has no checkpoint");
  console.log(`Latest checkpoint: ${latest.checkpointId}`);
  console.log(`  Type: ${latest.checkpointType}`);
  console.log(`  Time: ${latest.time?.toISOString() ?? "unknown"}`);
  console.log(`  Path: ${latest.checkpointPath}`);
});
