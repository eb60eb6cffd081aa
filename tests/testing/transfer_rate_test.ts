import { assertEquals, assertRejects } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { FakeHpcai } from "@hpcai/rx/testing";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";
const ARCHIVE =
  `https://www.hpc-ai.com/finetunesdk/api/v1/training_runs/${RUN}/checkpoints/final/archive`;
const ARCHIVE_BYTES = 100_000;
const BYTES_PER_SECOND = 10_000;

/** A fake whose archives take ten seconds, and the response with one of them. */
async function slowArchive(signal?: AbortSignal): Promise<[FakeHpcai, Response]> {
  const fake = new FakeHpcai({ archiveBytes: ARCHIVE_BYTES, bytesPerSecond: BYTES_PER_SECOND });
  const init = { headers: { "X-API-Key": fake.apiKey }, signal: signal ?? null };
  return [fake, await fake.fetch(ARCHIVE, init)];
}

Deno.test("bytesPerSecond limits the rate at which a body arrives", async () => {
  using time = new FakeTime();
  const [fake, response] = await slowArchive();
  const received = new Uint8Array(ARCHIVE_BYTES);
  let loaded = 0;
  const sink = new WritableStream<Uint8Array>({
    write(chunk) {
      received.set(chunk, loaded);
      loaded += chunk.byteLength;
    },
  });
  const transfer = response.body?.pipeTo(sink);
  for (let ms = 100; ms <= ARCHIVE_BYTES / BYTES_PER_SECOND * 1000; ms += 100) {
    await time.tickAsync(100);
    assertEquals(loaded, ms / 1000 * BYTES_PER_SECOND);
  }
  await transfer;
  assertEquals(received, fake.archive(RUN, "final").slice());
});

Deno.test("bytesPerSecond leaves no timer behind when the body is canceled", async () => {
  const [, response] = await slowArchive();
  const reader = response.body?.getReader();
  const read = reader?.read();
  await reader?.cancel();
  assertEquals((await read)?.done, true);
});

Deno.test("bytesPerSecond leaves no timer behind when the request is aborted", async () => {
  const controller = new AbortController();
  const [, response] = await slowArchive(controller.signal);
  const bytes = response.bytes();
  controller.abort(new RangeError("enough"));
  await assertRejects(() => bytes, RangeError, "enough");
});
