/**
 * Finds the training runs of a base model among all runs, page by page.
 *
 *     deno task example examples/filter_by_base_model.ts [BASE_MODEL]
 */
import { filter, toArray } from "rxjs";
import { connect } from "./connect.ts";

const [baseModel = "Qwen/Qwen3-8B"] = Deno.args;

connect().listAllTrainingRuns$().pipe(
  filter((run) => run.baseModel === baseModel),
  toArray(),
).subscribe((runs) => {
  console.log(`Found ${runs.length} training runs for ${baseModel}:`);
  for (const run of runs) {
    console.log(`  - ${run.trainingRunId} (LoRA rank: ${run.loraRank ?? "none"})`);
  }
});
