/**
 * Deletes a checkpoint by its path, only if it is there. With `HPCAI_API_KEY` set, the path must be
 * given.
 *
 *     deno task example examples/safe_delete_by_path.ts [CHECKPOINT_PATH]
 */
import { parseCheckpointPath } from "@hpcai/rx";
import { concat, concatMap, map, of } from "rxjs";
import { connect, inFakeOnly } from "./connect.ts";

const [
  checkpointPath = inFakeOnly("hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010"),
] = Deno.args;
const client = connect();

const exists$ = client.listCheckpoints$(parseCheckpointPath(checkpointPath).trainingRunId).pipe(
  map(({ checkpoints }) => checkpoints.some((found) => found.checkpointPath === checkpointPath)),
);

const delete$ = concat(
  of(`Found checkpoint ${checkpointPath}`),
  of("WARNING: This will permanently delete the checkpoint!"),
  client.deleteCheckpointByCheckpointPath$(checkpointPath).pipe(
    map(() => `Checkpoint ${checkpointPath} deleted`),
  ),
);

exists$.pipe(
  concatMap((exists) => exists ? delete$ : of(`Checkpoint ${checkpointPath} does not exist`)),
).subscribe((line) => console.log(line));
