/**
 * Downloads a checkpoint and saves it in ./checkpoints. The bytes go from the network into the file,
 * so it may be larger than memory.
 *
 *     deno task example:save examples/download_checkpoint.ts [TRAINING_RUN_ID CHECKPOINT_ID]
 */
import { saveArchive$ } from "@hpcai/rx/fs";
import { last } from "rxjs";
import { archivePath } from "./archive_path.ts";
import { connect } from "./connect.ts";

const [trainingRunId = "eb78693b-380d-40f8-a709-ffe0da185718", checkpointId = "step_0010"] =
  Deno.args;
const outputPath = archivePath(`checkpoint_${checkpointId}`);

saveArchive$(connect(), { trainingRunId, checkpointId }, outputPath).pipe(
  last(),
).subscribe(({ loaded }) => {
  console.log(`Checkpoint downloaded to: ${outputPath}`);
  console.log(`File size: ${(loaded / 1024 / 1024).toFixed(2)} MB`);
});
