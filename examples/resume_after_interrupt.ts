/**
 * Saves a checkpoint in ./checkpoints until Ctrl-C. Run it again to resume, also after a crash.
 *
 *     deno task example:save examples/resume_after_interrupt.ts [CHECKPOINT_PATH]
 */
import { saveArchive$ } from "@hpcai/rx/fs";
import { fromEventPattern, takeUntil } from "rxjs";
import { connect } from "./connect.ts";
import { localPath } from "./local_path.ts";

const [checkpointPath = "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010"] =
  Deno.args;
const outputPath = `${localPath(checkpointPath)}.tar.gz`;
const client = connect({ archiveBytes: 1024 ** 3 });

const interrupt$ = fromEventPattern(
  (handler) => Deno.addSignalListener("SIGINT", handler),
  (handler) => Deno.removeSignalListener("SIGINT", handler),
);

let isComplete = false;
saveArchive$(client, checkpointPath, outputPath, { overwrite: true }).pipe(
  takeUntil(interrupt$),
).subscribe({
  next: (event) => {
    isComplete = event.type === "complete";
    console.log(isComplete ? "Complete" : `${(event.loaded / 1024 / 1024).toFixed(1)} MB`);
  },
  complete: () => {
    if (!isComplete) console.log("Interrupted. Run it again to resume.");
  },
});
