/**
 * Deletes a checkpoint permanently if it exists. `deleteWithBackup$` of @hpcai/rx/fs saves its archive
 * first.
 *
 *     deno task example examples/safe_delete.ts [TRAINING_RUN_ID CHECKPOINT_ID]
 */
import { concatMap, EMPTY } from "rxjs";
import { connect, embeddedDefault } from "./connect.ts";

const [
  trainingRunId = embeddedDefault("eb78693b-380d-40f8-a709-ffe0da185718"),
  checkpointId = embeddedDefault("step_0010"),
] = Deno.args;
const client = connect();

client.listCheckpoints$(trainingRunId).pipe(
  concatMap(({ checkpoints }) => {
    if (!checkpoints.some((checkpoint) => checkpoint.checkpointId === checkpointId)) {
      console.log(`Checkpoint ${checkpointId} does not exist`);
      return EMPTY;
    }
    console.log(`Found checkpoint ${checkpointId}`);
    console.log("WARNING: This will permanently delete the checkpoint!");
    return client.deleteCheckpoint$(trainingRunId, checkpointId);
  }),
).subscribe(() => console.log(`Checkpoint ${checkpointId} deleted`));
