import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { InvalidArgumentError, PermissionDeniedError, RestClient } from "@hpcai/rx";
import { FakeHpcai } from "@hpcai/rx/testing";
import { firstValueFrom, lastValueFrom, map, take, toArray } from "rxjs";
import { TestScheduler } from "rxjs/testing";
import { NotFoundError } from "../../src/errors.ts";
import { listAllCheckpoints$ } from "../../src/listing/list_all_checkpoints.ts";
import type { Checkpoint } from "../../src/types.ts";
import { trainingRun } from "./changing_listing.ts";

function setting(trainingRuns: number) {
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

/** Lists the checkpoints of runs that come as `runs` says, of which each answers as its marbles say. */
function inMarbles(
  runs: string,
  answers: Readonly<Record<string, string>>,
  concurrency: number,
  expected: string,
  error?: unknown,
): void {
  new TestScheduler((actual, expected) => assertEquals(actual, expected)).run(
    ({ cold, expectObservable }) => {
      const paths$ = listAllCheckpoints$(
        cold(runs).pipe(map(trainingRun)),
        (run) => cold(answers[run] ?? "", { x: { checkpoints: [checkpoint(run)] } }, error),
        { concurrency },
      ).pipe(map(({ checkpointPath, trainingRun }) => {
        assertEquals(trainingRun.trainingRunId, checkpointPath);
        return checkpointPath;
      }));
      expectObservable(paths$).toBe(expected, undefined, error);
    },
  );
}

Deno.test("every checkpoint of every run comes once, with its run, in the order of the runs", async () => {
  const { fake, client } = setting(150);
  const found = await lastValueFrom(client.listAllCheckpoints$().pipe(toArray()));
  assertEquals(
    found.map(({ checkpointPath, trainingRun }) => [trainingRun.trainingRunId, checkpointPath]),
    fake.trainingRunIds.flatMap((id) =>
      fake.checkpoints(id).map(({ checkpointPath }) => [id, checkpointPath])
    ),
  );
});

Deno.test("where an earlier run answers late, the others' checkpoints wait for it", () => {
  inMarbles("(abc|)", { a: "---(x|)", b: "-(x|)", c: "-(x|)" }, 2, "---(abc|)");
});

Deno.test("no more runs than `concurrency` are asked at once", () => {
  inMarbles("(abc|)", { a: "--(x|)", b: "--(x|)", c: "--(x|)" }, 1, "--a-b-(c|)");
  inMarbles("(abc|)", { a: "6ms (x|)", b: "6ms (x|)", c: "6ms (x|)" }, 2, "6ms (ab) 2ms (c|)");
});

Deno.test("a run that is gone has no checkpoints, and the others have theirs", () => {
  const gone = new NotFoundError({ status: 404, message: "", method: "GET", requestUrl: "" });
  inMarbles("(abc|)", { a: "-(x|)", b: "-#", c: "-(x|)" }, 3, "-(ac|)", gone);
});

Deno.test("any other error fails, after the checkpoints of the runs before", () => {
  inMarbles("(abc|)", { a: "--(x|)", b: "-#", c: "-(x|)" }, 3, "--(a#)", new Error("refused"));
});

Deno.test("a refusal of one run's checkpoints surfaces as it is", async () => {
  const { fake, client } = setting(5);
  fake.faults.add({ type: "status", status: 403 }, { on: "listCheckpoints" });
  await assertRejects(() => lastValueFrom(client.listAllCheckpoints$()), PermissionDeniedError);
});

Deno.test("checkpoints come before the last run is there", () => {
  inMarbles("a---b|", { a: "-(x|)", b: "-(x|)" }, 4, "-a---(b|)");
});

Deno.test("what it emits names a checkpoint wherever one is asked for", async () => {
  const { fake, client } = setting(1);
  const found = await firstValueFrom(client.listAllCheckpoints$());
  const complete = await lastValueFrom(client.download$(found));
  assertEquals(
    complete.loaded,
    fake.archive(found.trainingRun.trainingRunId, "step_0010").byteLength,
  );
});

for (const options of [{ concurrency: 0 }, { concurrency: 1.5 }, null, 4]) {
  Deno.test(`options that are ${JSON.stringify(options)} fail before any request`, async () => {
    const { fake, client } = setting(1);
    const error = await assertRejects(() =>
      // @ts-expect-error: what a program without types may pass
      lastValueFrom(client.listAllCheckpoints$(options).pipe(take(1)))
    );
    assertInstanceOf(error, InvalidArgumentError);
    assertEquals(fake.requests.length, 0);
  });
}
