// A JavaScript program of a user, which run.ts runs in Node with the npm package.
import { NotFoundError, RestClient } from "@hpcai/rx";
import { extractArchive$, saveArchive$ } from "@hpcai/rx/fs";
import { apiProxy } from "@hpcai/rx/proxy";
import { FakeHpcai } from "@hpcai/rx/testing";
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { Readable } from "node:stream";
import { firstValueFrom, lastValueFrom, toArray } from "rxjs";

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

const config = await firstValueFrom(client.readArchiveEntry$(checkpoint, "adapter_config.json"));
assert.equal(JSON.parse(new TextDecoder().decode(config)).peft_type, "LORA");

// Over a socket, with a connection that is lost half-way.
const server = createServer(async (request, response) => {
  const url = `http://${request.headers.host}${request.url}`;
  const fakeResponse = await fake.handler(new Request(url, { headers: request.headers }));
  response.writeHead(fakeResponse.status, Object.fromEntries(fakeResponse.headers));
  Readable.fromWeb(fakeResponse.body).on("error", () => response.destroy()).pipe(response);
}).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const baseUrl = `http://127.0.0.1:${server.address().port}`;
const overSocket = new RestClient({ apiKey: fake.apiKey, baseUrl, retry: { initialDelayMs: 1 } });
const directory = await mkdtemp(`${tmpdir()}/`);
try {
  fake.faults.add({ type: "cut", afterBytes: 500_000 });
  const path = `${directory}/archive.tar.gz`;
  const saved = await lastValueFrom(saveArchive$(overSocket, checkpoint, path, { verify: true }));
  assert.equal(saved.type === "complete" && saved.loaded, last.loaded);
  assert.deepEqual(new Uint8Array(await readFile(path)), last.body);
  await lastValueFrom(extractArchive$(overSocket, checkpoint, `${directory}/extracted`));
  assert.deepEqual(
    new Uint8Array(await readFile(`${directory}/extracted/adapter_config.json`)),
    config,
  );

  const proxy = apiProxy({ apiKey: fake.apiKey, baseUrl });
  const ofPage = new RestClient({
    apiKey: "ignored by the proxy",
    baseUrl: "http://localhost/hpcai",
    fetch: (url, init) => proxy(new Request(url, init)),
  });
  const download = await lastValueFrom(ofPage.download$(checkpoint));
  assert.deepEqual(download.body, last.body);
} finally {
  server.close();
  server.closeAllConnections();
  await rm(directory, { recursive: true });
}

assert.equal(
  await firstValueFrom(client.deleteCheckpointByCheckpointPath$(checkpoint.checkpointPath)),
  undefined,
);
await assert.rejects(firstValueFrom(client.getTrainingRun$("no-such-run")), NotFoundError);

console.log("Node runs a JavaScript program with it.");
