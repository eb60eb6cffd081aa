/**
 * Downloads a checkpoint by its path and saves it in ./checkpoints, under a name made of the path.
 *
 *     deno task example:save examples/download_checkpoint_by_path.ts [CHECKPOINT_PATH]
 */
import { saveArchive$ } from "@hpcai/rx/fs";
import { last } from "rxjs";
import { archivePath } from "./archive_path.ts";
import { connect } from "./connect.ts";

const [checkpointPath = "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010"] =
  Deno.args;
const outputPath = archivePath(checkpointPath);

saveArchive$(connect(), checkpointPath, outputPath).pipe(
  last(),
).subscribe(({ loaded }) => {
  console.log(`Checkpoint downloaded to: ${outputPath}`);
  console.log(`File size: ${(loaded / 1024 / 1024).toFixed(2)} MB`);
});
