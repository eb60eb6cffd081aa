/**
 * Deletes a checkpoint by its path permanently if it exists. `deleteWithBackup$` of @hpcai/rx/fs saves
 * its archive first.
 *
 *     deno task example examples/safe_delete_by_path.ts [CHECKPOINT_PATH]
 */
import { parseCheckpointPath } from "@hpcai/rx";
import { concatMap, EMPTY } from "rxjs";
import { connect, embeddedDefault } from "./connect.ts";

const [
  checkpointPath = embeddedDefault(
    "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010",
  ),
] = Deno.args;
const client = connect();

client.listCheckpoints$(parseCheckpointPath(checkpointPath).trainingRunId).pipe(
  concatMap(({ checkpoints }) => {
    if (!checkpoints.some((checkpoint) => checkpoint.checkpointPath === checkpointPath)) {
      console.log(`Checkpoint ${checkpointPath} does not exist`);
      return EMPTY;
    }
    console.log(`Found checkpoint ${checkpointPath}`);
    console.log("WARNING: This will permanently delete the checkpoint!");
    return client.deleteCheckpointByCheckpointPath$(checkpointPath);
  }),
).subscribe(() => console.log(`Checkpoint ${checkpointPath} deleted`));
