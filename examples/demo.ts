/**
 * Shows what the client does, one operation after the other:
 *
 *     deno task demo
 *
 * With `HPCAI_API_KEY` set it reads from the real service and deletes nothing; else a fake of the API
 * stands in, behind a socket.
 */
import type { Checkpoint, TrainingRun } from "@hpcai/rx";
import {
  concat,
  concatMap,
  defer,
  EMPTY,
  filter,
  from,
  fromEventPattern,
  max,
  min,
  type Observable,
  takeUntil,
  tap,
} from "rxjs";
import { download$ } from "./demo/download.ts";
import { allRuns$, checkpoints$, firstPage$ } from "./demo/listing.ts";
import { safeDeletion$ } from "./demo/safe_deletion.ts";
import { findService, type Service } from "./demo/service.ts";

const service = findService();
console.log(service.introduction);

service.client.events$.pipe(
  filter((event) => event.type === "retry"),
).subscribe(({ error, delayMs }) => {
  console.error(`  ${error.message}; trying again in ${(delayMs / 1000).toFixed(1)} s`);
});

const interrupt$ = fromEventPattern(
  (handler) => Deno.addSignalListener("SIGINT", handler),
  (handler) => Deno.removeSignalListener("SIGINT", handler),
).pipe(tap(() => {
  console.error("Interrupted: what was under way is aborted.");
  Deno.exitCode = 130; // As shells have it: 128 and the signal's number.
}));

const noCheckpoints$ = defer(() => {
  console.log("\nNone of the runs listed first has a checkpoint to download.");
  return EMPTY;
});

demo$(service).pipe(takeUntil(interrupt$)).subscribe({
  error: (error) => {
    console.error(`The demo failed: ${error.message}`);
    Deno.exitCode = 1;
  },
});

function demo$({ client }: Service): Observable<unknown> {
  return firstPage$(client).pipe(
    concatMap(({ trainingRuns }) => {
      const run = trainingRuns.find((run) => run.lastCheckpoint ?? run.lastSamplerCheckpoint);
      return concat(allRuns$(client), run === undefined ? noCheckpoints$ : oneRun$(service, run));
    }),
  );
}

function oneRun$({ client, fake }: Service, { trainingRunId }: TrainingRun): Observable<unknown> {
  const byTime = (a: Checkpoint, b: Checkpoint) =>
    (a.time?.getTime() ?? 0) - (b.time?.getTime() ?? 0);
  return checkpoints$(client, trainingRunId).pipe(
    concatMap(({ checkpoints }) => {
      const downloadLatest$ = from(checkpoints).pipe(
        max(byTime),
        concatMap((latest) => download$(service, latest)),
      );
      const deleteOldest$ = from(checkpoints).pipe(
        min(byTime),
        concatMap((oldest) => safeDeletion$(client, trainingRunId, oldest)),
      );
      return fake === undefined
        ? downloadLatest$
        : concat(downloadLatest$, deleteOldest$, checkpoints$(client, trainingRunId));
    }),
  );
}
