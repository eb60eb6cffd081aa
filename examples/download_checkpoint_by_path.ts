/**
 * Saves the archive of a checkpoint in ./checkpoints, in a file that is named after its path.
 *
 *     deno task example:save examples/download_checkpoint_by_path.ts [CHECKPOINT_PATH]
 */
import { saveArchive$ } from "@hpcai/rx/fs";
import { last } from "rxjs";
import { connect } from "./connect.ts";
import { localPath } from "./local_path.ts";

const [checkpointPath = "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010"] =
  Deno.args;
const outputPath = `${localPath(checkpointPath)}.tar.gz`;

saveArchive$(connect(), checkpointPath, outputPath, { overwrite: true }).pipe(
  last(),
).subscribe(({ loaded }) => {
  console.log(`Checkpoint downloaded to: ${outputPath}`);
  console.log(`File size: ${(loaded / 1024 / 1024).toFixed(2)} MB`);
});
