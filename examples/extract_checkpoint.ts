/**
 * Extracts a checkpoint into a directory in ./checkpoints while it is downloaded.
 *
 *     deno task example:save examples/extract_checkpoint.ts [TRAINING_RUN_ID CHECKPOINT_ID]
 */
import { extractArchive$ } from "@hpcai/rx/fs";
import { connect } from "./connect.ts";
import { localPath } from "./local_path.ts";

const [trainingRunId = "eb78693b-380d-40f8-a709-ffe0da185718", checkpointId = "final"] = Deno.args;
const directory = localPath(`extracted_${checkpointId}`);
const checkpoint = { trainingRunId, checkpointId };

extractArchive$(connect(), checkpoint, directory, { overwrite: true }).subscribe((event) => {
  if (event.type === "entry") console.log(`${event.size} bytes: ${event.path}`);
  if (event.type === "complete") console.log(`Checkpoint extracted to: ${event.directory}`);
});
