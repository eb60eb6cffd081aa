import { assert, assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { RestClient } from "@hpcai/rx";
import { lastValueFrom } from "rxjs";
import { ChunkedAnswer, serve, tarMember } from "./loopback_server.ts";
import { RecordingSink } from "./recording_sink.ts";

const apiKey = "key-7d1f";
const checkpoint = { trainingRunId: "run", checkpointId: "final" };
const MIB = 1024 ** 2;

/** A tar of so many chunks of 64 KiB, the last of which is its end. */
function chunked(count: number): ChunkedAnswer {
  let left = count;
  return new ChunkedAnswer(() => {
    left--;
    if (left < 0) return Promise.resolve(undefined);
    return Promise.resolve(left === 0 ? new Uint8Array(65_536) : tarMember(65_536));
  });
}

/** A sink that takes nothing until it is told to, and says when the first chunk has come. */
function stuckSink() {
  const stuck = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const sink = new RecordingSink(() => {
    stuck.resolve();
    return release.promise;
  });
  return { sink, stuck: stuck.promise, release: release.resolve };
}

Deno.test("a stuck sink holds the server up, and gets everything once it goes on", async () => {
  const totalBytes = 128 * MIB;
  const held = chunked(totalBytes / 65_536);
  const free = chunked(totalBytes / 65_536);
  await using server = serve(({ url }) => (url.includes("/held/") ? held : free).response);
  const client = new RestClient({ apiKey, baseUrl: server.url });
  const { sink, stuck, release } = stuckSink();
  const done = lastValueFrom(
    client.download$({ ...checkpoint, trainingRunId: "held" }, { to: sink.writable }),
  );
  await stuck;
  // As much time as the same archive takes on a free way: without back-pressure it would be there.
  await lastValueFrom(client.download$(checkpoint, { to: new WritableStream() }));
  assertEquals(free.sentBytes, totalBytes);
  // What the kernel holds on both sides of the connection is not up to the client.
  assertLess(held.sentBytes, 32 * MIB);
  release();
  assertEquals((await done).loaded, totalBytes);
  assertEquals(sink.loaded, totalBytes);
  assert(sink.isClosed);
});

Deno.test("no chunk is read ahead of a stuck sink", async () => {
  const answer = chunked(100);
  const client = new RestClient({ apiKey, fetch: () => Promise.resolve(answer.response) });
  const { sink, stuck, release } = stuckSink();
  const done = lastValueFrom(client.download$(checkpoint, { to: sink.writable }));
  await stuck;
  // A whole other download lets every promise settle that could have led to another read.
  const other = chunked(100);
  const otherClient = new RestClient({ apiKey, fetch: () => Promise.resolve(other.response) });
  await lastValueFrom(otherClient.download$(checkpoint));
  assertLessOrEqual(answer.sentBytes, 65_536);
  release();
  assertEquals((await done).loaded, 100 * 65_536);
});

Deno.test("time that the sink takes is not idle time of the server", async () => {
  const answer = chunked(3);
  await using server = serve(() => answer.response);
  using time = new FakeTime();
  const client = new RestClient({ apiKey, baseUrl: server.url });
  const { sink, stuck, release } = stuckSink();
  const done = lastValueFrom(client.download$(checkpoint, { to: sink.writable }));
  await stuck;
  await time.tickAsync(3_600_000);
  release();
  assertEquals((await done).loaded, 3 * 65_536);
});
