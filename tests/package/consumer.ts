/** A TypeScript program of a user, which run.ts checks against the types of the npm package. */
import {
  type DownloadEvent,
  HpcaiError,
  NotFoundError,
  RestClient,
  type TrainingRun,
} from "@hpcai/rx";
import { extractArchive$, type ExtractEvent, saveArchive$, type SaveEvent } from "@hpcai/rx/fs";
import { apiProxy } from "@hpcai/rx/proxy";
import { FakeHpcai } from "@hpcai/rx/testing";
import { firstValueFrom, lastValueFrom, map, type Observable, toArray } from "rxjs";

const fake = new FakeHpcai({ trainingRuns: 3, seed: 1 });
const client = new RestClient({ apiKey: () => fake.apiKey, fetch: fake.fetch, retry: false });

export const runs: Promise<TrainingRun[]> = firstValueFrom(
  client.listAllTrainingRuns$({ pageSize: 2 }).pipe(toArray()),
);

/** The types of the user's RxJS and of the package's are the same. */
export const names$: Observable<string> = client.listAllTrainingRuns$().pipe(
  map((run) => run.lastCheckpoint?.checkpointPath ?? run.baseModel),
);

export const page = await firstValueFrom(client.listTrainingRuns$({ limit: 5 }));
export const total: number = page.cursor.totalCount;

export function describe(event: DownloadEvent): string {
  switch (event.type) {
    case "preparing":
      return `next request in ${event.retryInMs} ms`;
    case "restart":
      return `restarted: ${event.reason}`;
    case "progress":
      return `${event.loaded} of ${event.total ?? "?"} bytes, ${event.remainingMs ?? "?"} ms left`;
    case "complete":
      return `${event.body?.length ?? 0} bytes`;
  }
}

export const download = await lastValueFrom(
  client.download$({ trainingRunId: "run", checkpointId: "checkpoint" }).pipe(map(describe)),
  { defaultValue: "" },
).catch((error: unknown) => {
  if (error instanceof NotFoundError) return `${error.status} ${error.requestUrl}`;
  if (error instanceof HpcaiError) return error.message;
  throw error;
});

export const handler: (request: Request) => Promise<Response> = apiProxy(fake);

export const nothing: void = await firstValueFrom(client.deleteCheckpoint$("run", "checkpoint"));

export const save$: Observable<SaveEvent> = saveArchive$(client, "hpcai://r/weights/c", "c.tar.gz");
export const extract$: Observable<ExtractEvent> = extractArchive$(
  client,
  { trainingRunId: "r", checkpointId: "c" },
  "c",
);
