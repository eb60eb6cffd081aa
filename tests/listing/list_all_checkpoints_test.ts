import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { InvalidArgumentError, PermissionDeniedError, RestClient } from "@hpcai/rx";
import { FakeHpcai } from "@hpcai/rx/testing";
import { firstValueFrom, lastValueFrom, map, take, toArray } from "rxjs";
import { NotFoundError } from "../../src/errors.ts";
import { listAllCheckpoints$ } from "../../src/listing/list_all_checkpoints.ts";
import type { Checkpoint } from "../../src/types.ts";
import { trainingRun } from "./changing_listing.ts";
import { runMarbles } from "../marbles.ts";

function createClient(trainingRuns: number) {
  const fake = new FakeHpcai({ trainingRuns });
  const client = new RestClient({
    apiKey: fake.apiKey,
    fetch: fake.fetch,
    retry: { initialDelayMs: 0 },
  });
  return { fake, client };
}

function checkpoint(checkpointPath: string): Checkpoint {
  return {
    trainingRunId: checkpointPath,
    checkpointId: "final",
    checkpointType: "training",
    time: new Date(0),
    checkpointPath,
  };
}

/** Asserts what is emitted for the marbles of the runs and of each run's checkpoints. */
function assertEmits(
  runs: string,
  checkpoints: Readonly<Record<string, string>>,
  concurrency: number,
  expected: string,
  error?: unknown,
): void {
  runMarbles(
    ({ cold, expectObservable }) => {
      const paths$ = listAllCheckpoints$(
        cold(runs).pipe(map(trainingRun)),
        (run) => cold(checkpoints[run] ?? "", { x: { checkpoints: [checkpoint(run)] } }, error),
        { concurrency },
      ).pipe(map(({ checkpointPath, trainingRun }) => {
        assertEquals(trainingRun.trainingRunId, checkpointPath);
        return checkpointPath;
      }));
      expectObservable(paths$).toBe(expected, undefined, error);
    },
  );
}

Deno.test("listAllCheckpoints$ emits every checkpoint of every run once, with its run, in the order of the runs", async () => {
  const { fake, client } = createClient(150);
  const found = await lastValueFrom(client.listAllCheckpoints$().pipe(toArray()));
  assertEquals(
    found.map(({ checkpointPath, trainingRun }) => [trainingRun.trainingRunId, checkpointPath]),
    fake.trainingRunIds.flatMap((id) =>
      fake.checkpoints(id).map(({ checkpointPath }) => [id, checkpointPath])
    ),
  );
});

Deno.test("listAllCheckpoints$ buffers checkpoints until those of earlier runs have arrived", () => {
  assertEmits("(abc|)", { a: "---(x|)", b: "-(x|)", c: "-(x|)" }, 2, "---(abc|)");
});

Deno.test("listAllCheckpoints$ has at most `concurrency` requests in flight", () => {
  assertEmits("(abc|)", { a: "--(x|)", b: "--(x|)", c: "--(x|)" }, 1, "--a-b-(c|)");
  assertEmits("(abc|)", { a: "6ms (x|)", b: "6ms (x|)", c: "6ms (x|)" }, 2, "6ms (ab) 2ms (c|)");
});

Deno.test("listAllCheckpoints$ skips a run that was deleted after it was listed", () => {
  const gone = new NotFoundError({ status: 404, message: "", method: "GET", requestUrl: "" });
  assertEmits("(abc|)", { a: "-(x|)", b: "-#", c: "-(x|)" }, 3, "-(ac|)", gone);
});

Deno.test("listAllCheckpoints$ fails with any other error after the checkpoints of earlier runs", () => {
  assertEmits("(abc|)", { a: "--(x|)", b: "-#", c: "-(x|)" }, 3, "--(a#)", new Error("refused"));
});

Deno.test("listAllCheckpoints$ fails with a PermissionDeniedError for the checkpoints of one run", async () => {
  const { fake, client } = createClient(5);
  fake.faults.add({ type: "status", status: 403 }, { on: "listCheckpoints" });
  await assertRejects(() => lastValueFrom(client.listAllCheckpoints$()), PermissionDeniedError);
});

Deno.test("listAllCheckpoints$ emits checkpoints before the last run has arrived", () => {
  assertEmits("a---b|", { a: "-(x|)", b: "-(x|)" }, 4, "-a---(b|)");
});

Deno.test("download$ accepts the checkpoints of listAllCheckpoints$", async () => {
  const { fake, client } = createClient(1);
  const found = await firstValueFrom(client.listAllCheckpoints$());
  const complete = await lastValueFrom(client.download$(found));
  assertEquals(
    complete.loaded,
    fake.archive(found.trainingRun.trainingRunId, "step_0010").byteLength,
  );
});

for (const options of [{ concurrency: 0 }, { concurrency: 1.5 }, null, 4]) {
  Deno.test(`listAllCheckpoints$ rejects options of ${JSON.stringify(options)} before any request`, async () => {
    const { fake, client } = createClient(1);
    const error = await assertRejects(() =>
      // @ts-expect-error: JavaScript callers may pass it
      lastValueFrom(client.listAllCheckpoints$(options).pipe(take(1)))
    );
    assertInstanceOf(error, InvalidArgumentError);
    assertEquals(fake.requests.length, 0);
  });
}
