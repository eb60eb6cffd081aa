import { assert, assertEquals, assertGreaterOrEqual } from "@std/assert";
import { RestClient } from "@hpcai/rx";
import { FakeHpcai } from "@hpcai/rx/testing";
import { from, lastValueFrom, mergeMap, tap, toArray } from "rxjs";
import { type SeededRandom, seededRandom } from "../../src/testing/seeded_random.ts";
import { serve } from "./loopback_server.ts";
import { type ConnectionFault, startProxy } from "./tcp_proxy.ts";

const SCHEDULES = 200;
const ARCHIVE_BYTES = 1_500_000;
/** So low that a wait for the processor is not mistaken for a stall. */
const CONCURRENCY = 12;

/** The faults of the first connections, each after up to half of the archive. */
function randomFaults(random: SeededRandom): ConnectionFault[] {
  return Array.from({ length: 1 + random.int(6) }, () => ({
    bytes: random.int(4) === 0 ? random.int(1_000) : random.int(ARCHIVE_BYTES / 2),
    ending: random.pick(["close", "reset", "reset", "stall"]),
    chunkDelayMs: random.int(2),
  }));
}

/** Downloads with the faults of a seed; returns how many bytes each fault discarded. */
async function download(seed: number): Promise<number[]> {
  const random = seededRandom(seed);
  const faults = randomFaults(random);
  const archiveResponse = random.pick(["bytes", "redirect", "json"] as const);
  const isIntoMemory = random.int(2) === 0;

  let handler: FakeHpcai["handler"] = () => Promise.reject(new Error("The server is not ready"));
  await using server = serve((request) => handler(request));
  await using proxy = await startProxy(server.url, () => faults.shift() ?? {});
  const fake = new FakeHpcai({
    seed,
    archiveResponse,
    archiveBytes: ARCHIVE_BYTES,
    storageOrigin: proxy.url,
  });
  handler = fake.handler;
  const [trainingRunId = ""] = fake.trainingRunIds;
  const [{ checkpointId } = { checkpointId: "" }] = fake.checkpoints(trainingRunId);

  // One request for each connection, so that their counts can be compared.
  using http = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  /** The first byte of each request, and the bytes received before it. */
  const requests: { readonly start: number; readonly loaded: number }[] = [];
  let loaded = 0;
  const client = new RestClient({
    apiKey: fake.apiKey,
    baseUrl: archiveResponse === "bytes" ? proxy.url : server.url,
    retry: { maxRetries: 10, initialDelayMs: 0, maxDelayMs: 0 },
    fetch: (input, init) => {
      if (String(input).startsWith(proxy.url)) {
        const [start = "0"] = /\d+/.exec(new Headers(init?.headers).get("Range") ?? "") ?? [];
        requests.push({ start: Number(start), loaded });
      }
      return fetch(input, { ...init, client: http });
    },
  });
  const { readable, writable: to } = new TransformStream<Uint8Array, Uint8Array<ArrayBuffer>>();
  const [last, written] = await Promise.all([
    lastValueFrom(
      client.download$(
        { trainingRunId, checkpointId },
        { idleTimeoutMs: 100, progressIntervalMs: 0, ...(isIntoMemory ? {} : { to }) },
      ).pipe(tap((event) => loaded = event.loaded)),
    ),
    isIntoMemory ? undefined : new Response(readable).bytes(),
  ]);
  assert(last.type === "complete");
  const received = written ?? last.body ?? new Uint8Array();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", received)).toHex();
  assertEquals(digest, await fake.archive(trainingRunId, checkpointId).sha256(), `seed ${seed}`);
  // Only bytes that had not reached the client when the connection was lost are sent twice.
  for (const { start, loaded } of requests) assertEquals(start, loaded, `seed ${seed}`);
  assertEquals(proxy.payloadBytes.length, requests.length);
  return requests.slice(1).map(({ start }, cut) =>
    (requests[cut]?.start ?? 0) + (proxy.payloadBytes[cut] ?? 0) - start
  );
}

Deno.test(`download$ completes under ${SCHEDULES} schedules of ended, reset, stalled and slow connections`, async () => {
  const discarded = (await lastValueFrom(
    from(Array(SCHEDULES).keys()).pipe(mergeMap(download, CONCURRENCY), toArray()),
  )).flat();
  const largest = Math.max(...discarded);
  console.log(
    `${SCHEDULES} schedules, ${discarded.length} cuts, ` +
      `${discarded.filter((bytes) => bytes > 0).length} of them with discarded bytes, ` +
      `at most ${largest} bytes each`,
  );
  assertGreaterOrEqual(Math.min(...discarded), 0);
});
