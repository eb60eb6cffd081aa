/**
 * Saves a checkpoint in ./checkpoints until Ctrl-C; run again, it goes on from there, as it does after
 * a crash.
 *
 *     deno task example:save examples/resume_after_interrupt.ts [CHECKPOINT_PATH]
 */
import { saveArchive$ } from "@hpcai/rx/fs";
import { fromEventPattern, takeUntil } from "rxjs";
import { archivePath } from "./archive_path.ts";
import { connect } from "./connect.ts";

const [checkpointPath = "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010"] =
  Deno.args;

const interrupt$ = fromEventPattern(
  (handler) => Deno.addSignalListener("SIGINT", handler),
  (handler) => Deno.removeSignalListener("SIGINT", handler),
);

let isComplete = false;
saveArchive$(connect({ archiveBytes: 1024 ** 3 }), checkpointPath, archivePath(checkpointPath))
  .pipe(takeUntil(interrupt$))
  .subscribe({
    next: (event) => {
      isComplete = event.type === "complete";
      console.log(isComplete ? "Complete" : `${(event.loaded / 1024 / 1024).toFixed(1)} MB`);
    },
    complete: () => {
      if (!isComplete) console.log("Interrupted; run it again to go on.");
    },
  });
