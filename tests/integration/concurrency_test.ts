import { assertEquals } from "@std/assert";
import { RestClient, type RestClientOptions } from "@hpcai/rx";
import { extractArchive$, saveArchive$ } from "@hpcai/rx/fs";
import { FakeHpcai, type FakeHpcaiOptions } from "@hpcai/rx/testing";
import { setTimeout as delay } from "node:timers/promises";
import {
  concatMap,
  count,
  filter,
  firstValueFrom,
  from,
  lastValueFrom,
  mergeMap,
  type Observable,
  range,
  take,
} from "rxjs";
import { serve } from "./loopback_server.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";
const CHECKPOINT = `hpcai://${RUN}/weights/step_0010`;

/**
 * A fake behind a socket that counts the requests in flight, and delays each chunk by `chunkMs`.
 */
function serveFake(options: FakeHpcaiOptions = {}, chunkMs = 0) {
  const fake = new FakeHpcai(options);
  let inFlight = 0;
  const maximum = { inFlight: 0 };
  const server = serve(async (request) => {
    maximum.inFlight = Math.max(maximum.inFlight, ++inFlight);
    // Concurrent requests are counted before the first of them ends.
    await delay(1);
    const { body, status, headers } = await fake.handler(request);
    const end = () => void inFlight--;
    if (body === null) {
      end();
      return new Response(null, { status, headers });
    }
    const counted = new TransformStream<Uint8Array, Uint8Array>({
      transform: async (chunk, controller) => {
        if (chunkMs > 0) await delay(chunkMs);
        controller.enqueue(chunk);
      },
      flush: end,
    });
    return new Response(body.pipeThrough(counted), { status, headers });
  });
  const clientOf = (options: RestClientOptions = {}) =>
    new RestClient({ apiKey: fake.apiKey, baseUrl: server.url, retry: false, ...options });
  return { fake, maximum, clientOf, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

for (
  const [options, limit] of [[{}, 8], [{ maxConcurrentRequests: 3 }, 3]] as const
) {
  Deno.test(`maxConcurrentRequests keeps ${limit} of a thousand listings in flight, and all complete`, async () => {
    await using server = serveFake({ trainingRuns: 1000 });
    const client = server.clientOf(options);
    const listings$ = from(server.fake.trainingRunIds).pipe(
      mergeMap((id) => client.listCheckpoints$(id)),
      count(),
    );
    assertEquals(await firstValueFrom(listings$), 1000);
    assertEquals(server.maximum.inFlight, limit);
  });
}

for (
  const [what, transfer$] of [
    ["downloads", (client: RestClient) => client.download$(CHECKPOINT)],
    ["saves", (client: RestClient, path: string) => saveArchive$(client, CHECKPOINT, path)],
    [
      "extractions",
      (client: RestClient, path: string) => extractArchive$(client, CHECKPOINT, path),
    ],
  ] as const
) {
  Deno.test(`maxConcurrentRequests keeps three of fifty ${what} in flight, and all complete`, async () => {
    await using server = serveFake({ archiveBytes: 200_000 }, 10);
    const client = server.clientOf({ maxConcurrentRequests: 3 });
    const directory = await Deno.makeTempDir();
    try {
      const done$ = range(50).pipe(
        mergeMap<number, Observable<{ type: string }>>((i) =>
          transfer$(client, `${directory}/${i}`)
        ),
        filter(({ type }) => type === "complete"),
        count(),
      );
      assertEquals(await firstValueFrom(done$), 50);
      assertEquals(server.maximum.inFlight, 3);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}

Deno.test("download$ without a reader does not delay a listing", async () => {
  await using server = serveFake({ archiveBytes: 4_000_000 });
  const client = server.clientOf({ maxConcurrentRequests: 2 });
  const begun = lastValueFrom(
    client.events$.pipe(filter(({ type }) => type === "response"), take(2)),
  );
  const paused = Array.from({ length: 3 }, () => {
    const { writable } = new TransformStream<Uint8Array, Uint8Array>();
    return client.download$(CHECKPOINT, { to: writable }).subscribe();
  });
  await begun;
  assertEquals((await firstValueFrom(client.listCheckpoints$(RUN))).checkpoints.length, 4);
  for (const download of paused) download.unsubscribe();
});

Deno.test("maxConcurrentRequests: 1 permits a call while an archive is read", async () => {
  await using server = serveFake();
  const client = server.clientOf({ maxConcurrentRequests: 1 });
  const runs$ = client.archiveEntries$(CHECKPOINT).pipe(
    concatMap(({ body }) =>
      client.getTrainingRun$(RUN).pipe(concatMap(async (run) => {
        await body.cancel();
        return run.trainingRunId;
      }))
    ),
    count(),
  );
  assertEquals(await firstValueFrom(runs$), 5);
});

Deno.test("maxConcurrentRequests: 1 completes each kind of transfer, which frees its slot", async () => {
  await using server = serveFake();
  const client = server.clientOf({ maxConcurrentRequests: 1 });
  const directory = await Deno.makeTempDir();
  const operations: (() => Observable<unknown>)[] = [
    () => client.downloadCheckpointArchiveByCheckpointPath$(CHECKPOINT),
    () => client.archiveEntries$(CHECKPOINT),
    () => client.archiveEntries$(CHECKPOINT).pipe(take(1)),
    () => client.readArchiveEntry$(CHECKPOINT, "adapter_config.json"),
    () => saveArchive$(client, CHECKPOINT, `${directory}/a.tar.gz`, { verify: true }),
    () => saveArchive$(client, CHECKPOINT, `${directory}/b.tar.gz`).pipe(take(1)),
    () => extractArchive$(client, CHECKPOINT, `${directory}/c`),
    () => client.listCheckpoints$(RUN),
  ];
  try {
    for (const operation of operations) await lastValueFrom(operation());
    await Promise.all(operations.slice(0, 4).map((operation) => lastValueFrom(operation())));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
