import { assert, assertEquals } from "@std/assert";
import { RestClient } from "@hpcai/rx";
import { FakeHpcai } from "@hpcai/rx/testing";
import { firstValueFrom, lastValueFrom, toArray } from "rxjs";
import { serve } from "./loopback_server.ts";

for (const archiveResponse of ["bytes", "redirect", "json"] as const) {
  /** A fake with that response, and one of its checkpoints. */
  const fakeWithCheckpoint = () => {
    const fake = new FakeHpcai({ archiveResponse, archiveBytes: 3_000_001 });
    const [trainingRunId = ""] = fake.trainingRunIds;
    const [checkpoint] = fake.checkpoints(trainingRunId);
    assert(checkpoint !== undefined);
    const { checkpointId, checkpointPath } = checkpoint;
    const expected = fake.archive(trainingRunId, checkpointId).slice();
    return { fake, ids: { trainingRunId, checkpointId }, checkpointPath, expected };
  };

  Deno.test(`downloadCheckpointArchive$ emits the bytes of an archive sent as ${archiveResponse}`, async () => {
    const { fake, ids, checkpointPath, expected } = fakeWithCheckpoint();
    await using server = serve(fake.handler);
    const client = new RestClient({ apiKey: fake.apiKey, baseUrl: server.url });
    const { trainingRunId, checkpointId } = ids;
    const byIds$ = client.downloadCheckpointArchive$(trainingRunId, checkpointId);
    const byPath$ = client.downloadCheckpointArchiveByCheckpointPath$(checkpointPath);
    assertEquals(await firstValueFrom(byIds$), expected);
    assertEquals(await firstValueFrom(byPath$), expected);
  });

  Deno.test(`download$ writes the bytes of an archive sent as ${archiveResponse} to a stream`, async () => {
    const { fake, ids, expected } = fakeWithCheckpoint();
    await using server = serve(fake.handler);
    const client = new RestClient({ apiKey: fake.apiKey, baseUrl: server.url });
    const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array>();
    const [events, received] = await Promise.all([
      lastValueFrom(
        client.download$(ids, { to: writable, progressIntervalMs: 0 }).pipe(toArray()),
      ),
      new Response(readable).bytes(),
    ]);
    assertEquals(received, expected);
    const { byteLength } = expected;
    assertEquals(events.at(-1), {
      type: "complete",
      loaded: byteLength,
      body: undefined,
      format: "tar.gz",
    });
    const progress = events.filter((event) => event.type === "progress");
    assertEquals(progress.at(0)?.loaded, 0);
    assertEquals(progress.at(-1)?.loaded, byteLength);
    assert(progress.every(({ total }) => total === byteLength));
    assertEquals(
      progress.map(({ loaded }) => loaded).toSorted((a, b) => a - b),
      progress.map(({ loaded }) => loaded),
    );
  });
}

Deno.test("download$ of an archive with a content coding has no total", async () => {
  const fake = new FakeHpcai();
  fake.faults.add({ type: "encoded" }, { on: "archive" });
  await using server = serve(fake.handler);
  const client = new RestClient({ apiKey: fake.apiKey, baseUrl: server.url });
  const [trainingRunId = ""] = fake.trainingRunIds;
  const [{ checkpointId } = { checkpointId: "" }] = fake.checkpoints(trainingRunId);
  const events = await lastValueFrom(
    client.download$({ trainingRunId, checkpointId }).pipe(toArray()),
  );
  const done = events.at(-1);
  assert(done?.type === "complete");
  // After `Accept-Encoding: identity` Deno's fetch does not decode; Node's does.
  const expected = await new Response(fake.archive(trainingRunId, checkpointId).stream()).bytes();
  assertEquals([done.format, done.loaded], ["tar.gz", expected.byteLength]);
  assert(done.body?.every((byte, index) => byte === expected[index]));
  assert(events.every((event) => event.type === "complete" || event.total === undefined));
});

Deno.test("downloadCheckpointArchive$ fails with the status of the storage", async () => {
  const fake = new FakeHpcai({ archiveResponse: "redirect", signedUrlTtlMs: 0 });
  await using server = serve(fake.handler);
  const client = new RestClient({ apiKey: fake.apiKey, baseUrl: server.url, retry: false });
  const [trainingRunId = ""] = fake.trainingRunIds;
  const [{ checkpointId } = { checkpointId: "" }] = fake.checkpoints(trainingRunId);
  const error = await firstValueFrom(
    client.downloadCheckpointArchive$(trainingRunId, checkpointId),
  ).catch((error) => error);
  assertEquals([error.name, error.status], ["PermissionDeniedError", 403]);
  assertEquals(error.requestUrl.startsWith(server.otherUrl), true);
});
