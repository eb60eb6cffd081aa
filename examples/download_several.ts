/**
 * Saves all checkpoints of a training run in ./checkpoints, three at a time, and prints their total
 * progress.
 *
 *     deno task example:save examples/download_several.ts [TRAINING_RUN_ID]
 */
import { totalProgress } from "@hpcai/rx";
import { saveArchive$ } from "@hpcai/rx/fs";
import { concatMap, map } from "rxjs";
import { connect } from "./connect.ts";
import { localPath } from "./local_path.ts";

const [trainingRunId = "eb78693b-380d-40f8-a709-ffe0da185718"] = Deno.args;
const client = connect({ archiveBytes: 32 * 1024 ** 2 });

client.listCheckpoints$(trainingRunId).pipe(
  concatMap(({ checkpoints }) => checkpoints),
  map((checkpoint) => {
    const outputPath = `${localPath(checkpoint.checkpointPath)}.tar.gz`;
    return saveArchive$(client, checkpoint, outputPath, { overwrite: true });
  }),
  totalProgress(3),
).subscribe({
  next: ({ completed, count, loaded, total }) => {
    console.log(`${completed} of ${count}: ${megabytes(loaded)} of ${megabytes(total)} MB`);
  },
  complete: () => console.log("All checkpoints downloaded to: ./checkpoints"),
});

function megabytes(bytes: number | undefined): string {
  return bytes === undefined ? "?" : (bytes / 1024 / 1024).toFixed(2);
}
