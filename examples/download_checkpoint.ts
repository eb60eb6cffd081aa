/**
 * Saves the archive of a checkpoint in ./checkpoints. The bytes are streamed into the file, so the
 * archive may be larger than memory.
 *
 *     deno task example:save examples/download_checkpoint.ts [TRAINING_RUN_ID CHECKPOINT_ID]
 */
import { saveArchive$ } from "@hpcai/rx/fs";
import { last } from "rxjs";
import { connect } from "./connect.ts";
import { localPath } from "./local_path.ts";

const [trainingRunId = "eb78693b-380d-40f8-a709-ffe0da185718", checkpointId = "step_0010"] =
  Deno.args;
const outputPath = `${localPath(`checkpoint_${checkpointId}`)}.tar.gz`;
const checkpoint = { trainingRunId, checkpointId };

saveArchive$(connect(), checkpoint, outputPath, { overwrite: true }).pipe(
  last(),
).subscribe(({ loaded }) => {
  console.log(`Checkpoint downloaded to: ${outputPath}`);
  console.log(`File size: ${(loaded / 1024 / 1024).toFixed(2)} MB`);
});
