/**
 * Downloads all checkpoints of a training run into ./checkpoints, three at a time, with the progress
 * of them all together.
 *
 *     deno task example:save examples/download_several.ts [TRAINING_RUN_ID]
 */
import type { Checkpoint } from "@hpcai/rx";
import { saveArchive$, type SaveEvent } from "@hpcai/rx/fs";
import {
  concatMap,
  distinctUntilKeyChanged,
  from,
  map,
  mergeMap,
  type Observable,
  scan,
} from "rxjs";
import { archivePath } from "./archive_path.ts";
import { connect } from "./connect.ts";

const [trainingRunId = "eb78693b-380d-40f8-a709-ffe0da185718"] = Deno.args;
const client = connect({ archiveBytes: 32 * 1024 ** 2 });

client.listCheckpoints$(trainingRunId).pipe(
  concatMap(({ checkpoints }) => saveAll$(checkpoints)),
  distinctUntilKeyChanged("percent"),
).subscribe({
  next: ({ percent, loaded }) => {
    console.log(`${percent} %, ${(loaded / 1024 / 1024).toFixed(2)} MB`);
  },
  complete: () => console.log("All checkpoints downloaded to: ./checkpoints"),
});

function saveAll$(checkpoints: readonly Checkpoint[]): Observable<TotalProgress> {
  return from(checkpoints).pipe(
    mergeMap((checkpoint) => {
      const path = archivePath(checkpoint.checkpointPath);
      return saveArchive$(client, checkpoint, path).pipe(map((event) => [path, event] as const));
    }, 3),
    scan((latest, [path, event]) => latest.set(path, event), new Map<string, SaveEvent>()),
    map((latest) => totalProgress([...latest.values()], checkpoints.length)),
  );
}

interface TotalProgress {
  readonly percent: number;
  readonly loaded: number;
}

/** Each archive counts the same, since those that have not begun are of unknown length. */
function totalProgress(events: readonly SaveEvent[], archives: number): TotalProgress {
  const fractions = events.map((event) =>
    event.type === "complete" ? 1 : event.loaded / (event.total ?? Infinity)
  );
  return {
    percent: Math.floor(sum(fractions) / archives * 100),
    loaded: sum(events.map(({ loaded }) => loaded)),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
