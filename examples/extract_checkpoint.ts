/**
 * Downloads a checkpoint and extracts it while it arrives, into a directory in ./checkpoints.
 *
 *     deno task example:save examples/extract_checkpoint.ts [CHECKPOINT_PATH]
 */
import { extractArchive$ } from "@hpcai/rx/fs";
import { archivePath } from "./archive_path.ts";
import { connect } from "./connect.ts";

const [checkpointPath = "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/final"] = Deno.args;
const directory = archivePath(checkpointPath).replace(/\.tar\.gz$/, "");

extractArchive$(connect(), checkpointPath, directory).subscribe((event) => {
  if (event.type === "entry") console.log(`${event.size} bytes: ${event.path}`);
  if (event.type === "complete") console.log(`Checkpoint extracted to: ${event.directory}`);
});
