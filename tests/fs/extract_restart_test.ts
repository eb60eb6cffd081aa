import { assertEquals, assertRejects } from "@std/assert";
import { DownloadInterruptedError, RestClient } from "@hpcai/rx";
import { extractArchive$ } from "@hpcai/rx/fs";
import { FakeHpcai } from "@hpcai/rx/testing";
import { lastValueFrom, toArray } from "rxjs";
import { inTemporaryDirectory, namesIn } from "../temporary_directory.ts";

const CHECKPOINT = "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010";

/** A client of a server without entity tags, which cannot resume. */
function untaggedClient(fake: FakeHpcai, maxRetries = 3): RestClient {
  const retry = { initialDelayMs: 0, maxRetries };
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const response = await fake.fetch(input, init);
    const headers = new Headers(response.headers);
    headers.delete("ETag");
    return new Response(response.body, { status: response.status, headers });
  };
  return new RestClient({ apiKey: fake.apiKey, fetch, retry });
}

Deno.test("extractArchive$ restarts if the archive cannot be resumed, and extracts each entry again", () =>
  inTemporaryDirectory(async (parent) => {
    const fake = new FakeHpcai({ archiveBytes: 500_000 });
    fake.faults.add({ type: "cut", afterBytes: 300_000 }, { on: "archive" });
    const directory = `${parent}/checkpoint`;
    const events = await lastValueFrom(
      extractArchive$(untaggedClient(fake), CHECKPOINT, directory).pipe(toArray()),
    );
    const restart = events.findIndex(({ type }) => type === "restart");
    assertEquals(restart > 0, true);
    const names = events.slice(restart).flatMap((event) =>
      event.type === "entry" ? event.path : []
    );
    const last = events.at(-1);
    assertEquals(last?.type === "complete" && last.entries, names.length);
    assertEquals(await namesIn(directory), names.toSorted());
  }));

Deno.test("extractArchive$ that fails after a restart leaves nothing", () =>
  inTemporaryDirectory(async (parent) => {
    const fake = new FakeHpcai({ archiveBytes: 500_000 });
    fake.faults.add({ type: "cut", afterBytes: 300_000 }, { on: "archive", times: Infinity });
    const directory = `${parent}/checkpoint`;
    await assertRejects(
      () => lastValueFrom(extractArchive$(untaggedClient(fake), CHECKPOINT, directory)),
      DownloadInterruptedError,
    );
    assertEquals(fake.requests.length, 4);
    assertEquals((await namesIn(parent)).filter((name) => !name.startsWith(".hpcai-rx")), []);
  }));
