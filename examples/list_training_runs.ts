/**
 * Lists the first ten training runs.
 *
 *     deno task example examples/list_training_runs.ts
 */
import { connect } from "./connect.ts";

connect().listTrainingRuns$({ limit: 10 }).subscribe(({ trainingRuns, cursor }) => {
  console.log(`Found ${trainingRuns.length} training runs`);
  console.log(`Total available: ${cursor.totalCount}`);
  for (const run of trainingRuns) {
    console.log(`  - ${run.trainingRunId}: ${run.baseModel}`);
    if (run.isLora) console.log(`    LoRA rank: ${run.loraRank}`);
  }
});
