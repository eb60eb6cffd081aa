/**
 * Extracts a checkpoint, given by its path, into a directory in ./checkpoints while it is downloaded.
 *
 *     deno task example:save examples/extract_checkpoint_by_path.ts [CHECKPOINT_PATH]
 */
import { extractArchive$ } from "@hpcai/rx/fs";
import { connect } from "./connect.ts";
import { localPath } from "./local_path.ts";

const [checkpointPath = "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/final"] = Deno.args;
const directory = localPath(`extracted_${checkpointPath}`);

extractArchive$(connect(), checkpointPath, directory, { overwrite: true }).subscribe((event) => {
  if (event.type === "entry") console.log(`${event.size} bytes: ${event.path}`);
  if (event.type === "complete") console.log(`Checkpoint extracted to: ${event.directory}`);
});
