/**
 * Deletes a checkpoint only if it is there. With `HPCAI_API_KEY` set, the ids must be given.
 *
 *     deno task example examples/safe_delete.ts [TRAINING_RUN_ID CHECKPOINT_ID]
 */
import { concat, concatMap, map, of } from "rxjs";
import { connect, inFakeOnly } from "./connect.ts";

const [
  trainingRunId = inFakeOnly("eb78693b-380d-40f8-a709-ffe0da185718"),
  checkpointId = inFakeOnly("step_0010"),
] = Deno.args;
const client = connect();

const exists$ = client.listCheckpoints$(trainingRunId).pipe(
  map(({ checkpoints }) => checkpoints.some((found) => found.checkpointId === checkpointId)),
);

const delete$ = concat(
  of(`Found checkpoint ${checkpointId}`),
  of("WARNING: This will permanently delete the checkpoint!"),
  client.deleteCheckpoint$(trainingRunId, checkpointId).pipe(
    map(() => `Checkpoint ${checkpointId} deleted`),
  ),
);

exists$.pipe(
  concatMap((exists) => exists ? delete$ : of(`Checkpoint ${checkpointId} does not exist`)),
).subscribe((line) => console.log(line));
