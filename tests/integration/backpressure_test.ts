import { assert, assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { RestClient } from "@hpcai/rx";
import { lastValueFrom } from "rxjs";
import { ChunkedResponse, serve, tarChunk } from "./loopback_server.ts";
import { RecordingSink } from "./recording_sink.ts";

const apiKey = "key-7d1f";
const checkpoint = { trainingRunId: "run", checkpointId: "final" };
const MIB = 1024 ** 2;

/** A response with a tar of `count` chunks of 64 KiB, the last of which is its end. */
function chunkedResponse(count: number): ChunkedResponse {
  let left = count;
  return new ChunkedResponse(() => {
    left--;
    if (left < 0) return Promise.resolve(undefined);
    return Promise.resolve(left === 0 ? new Uint8Array(65_536) : tarChunk(65_536));
  });
}

/** A sink whose writes are pending until `release`; exposes when the first write starts. */
function blockedSink() {
  const writing = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const sink = new RecordingSink(() => {
    writing.resolve();
    return release.promise;
  });
  return { sink, whenWriting: writing.promise, release: release.resolve };
}

Deno.test("download$ stops reading while a write is pending, and continues afterwards", async () => {
  const totalBytes = 128 * MIB;
  const blocked = chunkedResponse(totalBytes / 65_536);
  const unblocked = chunkedResponse(totalBytes / 65_536);
  await using server = serve(({ url }) =>
    (url.includes("/blocked/") ? blocked : unblocked).response
  );
  const client = new RestClient({ apiKey, baseUrl: server.url });
  const { sink, whenWriting, release } = blockedSink();
  const done = lastValueFrom(
    client.download$({ ...checkpoint, trainingRunId: "blocked" }, { to: sink.writable }),
  );
  await whenWriting;
  // Without backpressure the first archive would be complete as soon as this one.
  await lastValueFrom(client.download$(checkpoint, { to: new WritableStream() }));
  assertEquals(unblocked.sentBytes, totalBytes);
  // The socket buffers of the kernel are outside the control of the client.
  assertLess(blocked.sentBytes, 32 * MIB);
  release();
  assertEquals((await done).loaded, totalBytes);
  assertEquals(sink.loaded, totalBytes);
  assert(sink.isClosed);
});

Deno.test("download$ reads no chunk ahead while a write is pending", async () => {
  const response = chunkedResponse(100);
  const client = new RestClient({ apiKey, fetch: () => Promise.resolve(response.response) });
  const { sink, whenWriting, release } = blockedSink();
  const done = lastValueFrom(client.download$(checkpoint, { to: sink.writable }));
  await whenWriting;
  // Another complete download lets every promise settle that could cause another read.
  const other = chunkedResponse(100);
  const otherClient = new RestClient({ apiKey, fetch: () => Promise.resolve(other.response) });
  await lastValueFrom(otherClient.download$(checkpoint));
  assertLessOrEqual(response.sentBytes, 65_536);
  release();
  assertEquals((await done).loaded, 100 * 65_536);
});

Deno.test("idleTimeoutMs does not count the time of writes", async () => {
  const response = chunkedResponse(3);
  await using server = serve(() => response.response);
  using time = new FakeTime();
  const client = new RestClient({ apiKey, baseUrl: server.url });
  const { sink, whenWriting, release } = blockedSink();
  const done = lastValueFrom(client.download$(checkpoint, { to: sink.writable }));
  await whenWriting;
  await time.tickAsync(3_600_000);
  release();
  assertEquals((await done).loaded, 3 * 65_536);
});
