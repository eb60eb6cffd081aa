// A user's JavaScript program. run.ts has Node run it against the packed package.
import { NotFoundError, RestClient } from "@hpcai/rx";
import { FakeHpcai } from "@hpcai/rx/testing";
import assert from "node:assert/strict";
import { firstValueFrom, toArray } from "rxjs";

const fake = new FakeHpcai({ trainingRuns: 12 });
const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch });

const page = await firstValueFrom(client.listTrainingRuns$({ limit: 5 }));
assert.equal(page.trainingRuns.length, 5);
assert.equal(page.cursor.totalCount, 12);

const runs = await firstValueFrom(client.listAllTrainingRuns$({ pageSize: 5 }).pipe(toArray()));
assert.equal(runs.length, 12);

const checkpoint = runs.map((run) => run.lastCheckpoint).find((last) => last !== null);
assert(checkpoint, "the fake has a checkpoint");
const events = await firstValueFrom(client.download$(checkpoint).pipe(toArray()));
const last = events.at(-1);
assert.equal(last?.type, "complete");
assert.equal(last.body?.length, last.loaded);

assert.equal(
  await firstValueFrom(client.deleteCheckpointByCheckpointPath$(checkpoint.checkpointPath)),
  undefined,
);
await assert.rejects(firstValueFrom(client.getTrainingRun$("no-such-run")), NotFoundError);

console.log("Node ran it.");
