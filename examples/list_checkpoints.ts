/**
 * Lists the checkpoints of a training run.
 *
 *     deno task example examples/list_checkpoints.ts [TRAINING_RUN_ID]
 */
import { connect } from "./connect.ts";

const [trainingRunId = "eb78693b-380d-40f8-a709-ffe0da185718"] = Deno.args;

connect().listCheckpoints$(trainingRunId).subscribe(({ checkpoints }) => {
  console.log(`Found ${checkpoints.length} checkpoints:`);
  for (const checkpoint of checkpoints) {
    console.log(`  - ${checkpoint.checkpointType}: ${checkpoint.checkpointId}`);
    console.log(`    Time: ${checkpoint.time?.toISOString() ?? "unknown"}`);
    console.log(`    Path: ${checkpoint.checkpointPath}`);
  }
});
