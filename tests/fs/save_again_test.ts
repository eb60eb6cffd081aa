import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { HpcaiError, RestClient } from "@hpcai/rx";
import { extractArchive$, saveArchive$ } from "@hpcai/rx/fs";
import { FakeHpcai } from "@hpcai/rx/testing";
import { setTimeout as delay } from "node:timers/promises";
import { lastValueFrom, type Observable } from "rxjs";
import { seededRandom } from "../../src/testing/seeded_random.ts";
import { serve } from "../integration/loopback_server.ts";
import { namesIn } from "../temporary_directory.ts";
import { sha256 } from "../sha256.ts";
import { stateFiles } from "./path_state.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";
const CHECKPOINT = { trainingRunId: RUN, checkpointId: "step_0010" };

/** How many saves of a path are cancelled, and of how many paths concurrently. */
const ROUNDS = 40;
const PATHS = 5;

async function inDirectory(
  test: (directory: string, client: RestClient, fake: FakeHpcai) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  const fake = new FakeHpcai({ archiveBytes: 1_000_000 });
  await using server = serve(fake.handler);
  const client = new RestClient({
    apiKey: fake.apiKey,
    baseUrl: server.url,
    retry: false,
    maxConcurrentRequests: 20,
  });
  try {
    await test(directory, client, fake);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Subscribes, and unsubscribes after a number of turns of the event loop. */
async function cancelAfter(events$: Observable<unknown>, turns: number): Promise<void> {
  const subscription = events$.subscribe({ error: () => {} });
  for (let turn = 0; turn < turns; turn++) await delay(0);
  subscription.unsubscribe();
}

Deno.test(`saveArchive$ saves at once after each of ${ROUNDS * PATHS} cancelled saves`, () =>
  inDirectory(async (directory, client, fake) => {
    const expected = sha256(fake.archive(RUN, "step_0010").slice());
    const random = seededRandom(7);
    await Promise.all(Array.from({ length: PATHS }, async (_, number) => {
      const path = `${directory}/${number}.tar.gz`;
      const save$ = saveArchive$(client, CHECKPOINT, path, { overwrite: true });
      for (let round = 0; round < ROUNDS; round++) {
        await cancelAfter(save$, random.int(40));
        // The next one is sometimes cancelled too.
        if (round % 3 === 0) await cancelAfter(save$, random.int(3));
        if (round % 2 === 0) continue;
        const complete = await lastValueFrom(save$);
        assert(complete.type === "complete");
        assertEquals(complete.sha256, expected);
        assertEquals(stateFiles(path), ["file.json"]);
      }
    }));
  }));

Deno.test("extractArchive$ extracts at once after a cancelled extraction", () =>
  inDirectory(async (directory, client) => {
    const extract$ = extractArchive$(client, CHECKPOINT, `${directory}/final`, { overwrite: true });
    for (let turns = 0; turns < 40; turns += 2) {
      await cancelAfter(extract$, turns);
      await lastValueFrom(extract$);
      assertEquals(await namesIn(directory), ["final"]);
    }
  }));

Deno.test("saveArchive$ fails while another save of this process to the path is in progress, which completes", () =>
  inDirectory(async (directory, client, fake) => {
    fake.faults.add({ type: "delay", ms: 300 });
    const save$ = saveArchive$(client, CHECKPOINT, `${directory}/final.tar.gz`);
    const first = lastValueFrom(save$);
    while (fake.requests.length === 0) await delay(5);
    // Also by another name of the same directory.
    const again$ = saveArchive$(
      client,
      CHECKPOINT,
      `${directory}/../${directory.split("/").at(-1)}/final.tar.gz`,
    );
    for (const second$ of [save$, again$]) {
      const error = await assertRejects(() => lastValueFrom(second$), HpcaiError);
      assertMatch(
        error.message,
        /^Cannot write .*: another save or extraction of this process is in progress/,
      );
    }
    assertEquals((await first).type, "complete");
    const saved = sha256(await Deno.readFile(`${directory}/final.tar.gz`));
    assertEquals(saved, sha256(fake.archive(RUN, "step_0010").slice()));
  }));
