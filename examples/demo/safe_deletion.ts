import type { Checkpoint, RestClient } from "@hpcai/rx";
import { concatMap, EMPTY, type Observable, tap } from "rxjs";
import { part } from "./screen.ts";

/** Deletes a checkpoint if it is still there. */
export function safeDeletion$(
  client: RestClient,
  trainingRunId: string,
  { checkpointId }: Checkpoint,
): Observable<unknown> {
  return part(
    `Safe deletion of ${checkpointId}`,
    "client.deleteCheckpoint$(id, checkpointId)",
    client.listCheckpoints$(trainingRunId),
  ).pipe(
    concatMap(({ checkpoints }) => {
      if (!checkpoints.some((found) => found.checkpointId === checkpointId)) {
        console.log(`  ${checkpointId} does not exist`);
        return EMPTY;
      }
      console.log(`  ${checkpointId} exists and is deleted for good`);
      return client.deleteCheckpoint$(trainingRunId, checkpointId);
    }),
    tap(() => console.log(`  ${checkpointId} deleted`)),
  );
}
