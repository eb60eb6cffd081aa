import { assert, assertEquals, assertGreaterOrEqual } from "@std/assert";
import { RestClient } from "@hpcai/rx";
import { FakeHpcai } from "@hpcai/rx/testing";
import { from, lastValueFrom, mergeMap, tap, toArray } from "rxjs";
import { type SeededRandom, seededRandom } from "../../src/testing/seeded_random.ts";
import { serve } from "./loopback_server.ts";
import { type Passage, proxy } from "./tcp_proxy.ts";

const SCHEDULES = 200;
const ARCHIVE_BYTES = 1_500_000;
/** Few enough that no schedule takes its wait for the processor for a stall. */
const CONCURRENCY = 12;

/** A few connections that fail, each after up to half of the archive, and then sound ones. */
function schedule(random: SeededRandom): Passage[] {
  return Array.from({ length: 1 + random.int(6) }, () => ({
    bytes: random.int(4) === 0 ? random.int(1_000) : random.int(ARCHIVE_BYTES / 2),
    ending: random.pick(["close", "reset", "reset", "stall"]),
    chunkDelayMs: random.int(2),
  }));
}

/** Downloads once under the schedule that the seed makes, and gives the excess at each cut. */
async function download(seed: number): Promise<number[]> {
  const random = seededRandom(seed);
  const passages = schedule(random);
  const archiveResponse = random.pick(["bytes", "redirect", "json"] as const);
  const isKept = random.int(2) === 0;

  let handler: FakeHpcai["handler"] = () => Promise.reject(new Error("not yet there"));
  await using server = serve((request) => handler(request));
  await using way = await proxy(server.url, () => passages.shift() ?? {});
  const fake = new FakeHpcai({
    seed,
    archiveResponse,
    archiveBytes: ARCHIVE_BYTES,
    storageOrigin: way.url,
  });
  handler = fake.handler;
  const [trainingRunId = ""] = fake.trainingRunIds;
  const [{ checkpointId } = { checkpointId: "" }] = fake.checkpoints(trainingRunId);

  // One request a connection, so that the two can be counted against each other.
  using http = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  /** Where each request began, and what had arrived by then. */
  const asked: { readonly start: number; readonly loaded: number }[] = [];
  let loaded = 0;
  const client = new RestClient({
    apiKey: fake.apiKey,
    baseUrl: archiveResponse === "bytes" ? way.url : server.url,
    retry: { maxRetries: 10, initialDelayMs: 0, maxDelayMs: 0 },
    fetch: (input, init) => {
      if (String(input).startsWith(way.url)) {
        const [start = "0"] = /\d+/.exec(new Headers(init?.headers).get("Range") ?? "") ?? [];
        asked.push({ start: Number(start), loaded });
      }
      return fetch(input, { ...init, client: http });
    },
  });
  const { readable, writable: to } = new TransformStream<Uint8Array, Uint8Array<ArrayBuffer>>();
  const [last, streamed] = await Promise.all([
    lastValueFrom(
      client.download$(
        { trainingRunId, checkpointId },
        { idleTimeoutMs: 100, progressIntervalMs: 0, ...(isKept ? {} : { to }) },
      ).pipe(tap((event) => loaded = event.loaded)),
    ),
    isKept ? undefined : new Response(readable).bytes(),
  ]);
  assert(last.type === "complete");
  const received = streamed ?? last.body ?? new Uint8Array();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", received)).toHex();
  assertEquals(digest, await fake.archive(trainingRunId, checkpointId).sha256(), `seed ${seed}`);
  // So what is sent in vain is only what had not reached the client when the connection broke.
  for (const { start, loaded } of asked) assertEquals(start, loaded, `seed ${seed}`);
  assertEquals(way.payloadBytes.length, asked.length);
  return asked.slice(1).map(({ start }, cut) =>
    (asked[cut]?.start ?? 0) + (way.payloadBytes[cut] ?? 0) - start
  );
}

Deno.test(`an archive arrives as it is under ${SCHEDULES} schedules of cuts, resets, stalls and delays`, async () => {
  const excess = (await lastValueFrom(
    from(Array(SCHEDULES).keys()).pipe(mergeMap(download, CONCURRENCY), toArray()),
  )).flat();
  const largest = Math.max(...excess);
  console.log(
    `${SCHEDULES} schedules, ${excess.length} cuts, ` +
      `${excess.filter((bytes) => bytes > 0).length} of them with bytes sent in vain; ` +
      `at most ${largest} bytes at one`,
  );
  assertGreaterOrEqual(Math.min(...excess), 0);
});
