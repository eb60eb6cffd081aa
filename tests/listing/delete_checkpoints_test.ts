import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import {
  AuthenticationError,
  type CheckpointRef,
  type DeleteResult,
  InvalidArgumentError,
  InvalidCheckpointPathError,
  NotFoundError,
  RestClient,
} from "@hpcai/rx";
import { FakeHpcai } from "@hpcai/rx/testing";
import { lastValueFrom, take, toArray } from "rxjs";
import { deleteCheckpoints$ } from "../../src/listing/delete_checkpoints.ts";
import { runMarbles } from "../marbles.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";
const PATH = `hpcai://${RUN}/weights/step_0010`;

function createClient() {
  const fake = new FakeHpcai();
  const { apiKey, fetch } = fake;
  return { fake, client: new RestClient({ apiKey, fetch, retry: { initialDelayMs: 0 } }) };
}

function results(
  client: RestClient,
  ...args: Parameters<RestClient["deleteCheckpoints$"]>
): Promise<DeleteResult[]> {
  return lastValueFrom(client.deleteCheckpoints$(...args).pipe(toArray()));
}

/** Maps each reference to the type of its result, or the class of its error. */
function outcomes(results: readonly DeleteResult[]): Map<CheckpointRef, string> {
  return new Map(results.map((result) => [
    result.checkpoint,
    result.type === "failed" ? (result.error as Error).constructor.name : result.type,
  ]));
}

Deno.test("deleteCheckpoints$ deletes paths, ids and listed checkpoints, and emits a result for each", async () => {
  const { fake, client } = createClient();
  const all = await lastValueFrom(client.listAllCheckpoints$().pipe(toArray()));
  const final = all.find(({ checkpointId }) => checkpointId === "final");
  const named = [PATH, { trainingRunId: RUN, checkpointId: "step_0020" }, final ?? ""];
  assertEquals(
    outcomes(await results(client, named)),
    new Map(named.map((ref) => [ref, "deleted"])),
  );
  assertEquals(fake.checkpoints(RUN).map(({ checkpointId }) => checkpointId), [
    "step_0010-sampler",
  ]);
});

Deno.test("deleteCheckpoints$ continues after a failed deletion and an invalid path", async () => {
  const { fake, client } = createClient();
  const named = ["nonsense", { trainingRunId: RUN, checkpointId: "nope" }, PATH];
  assertEquals(
    outcomes(await results(client, named)),
    new Map<CheckpointRef, string>([
      ["nonsense", InvalidCheckpointPathError.name],
      [named[1] ?? "", NotFoundError.name],
      [PATH, "deleted"],
    ]),
  );
  assertEquals(fake.checkpoints(RUN).length, 3);
});

Deno.test("deleteCheckpoints$ emits a failed result for each checkpoint if the key is rejected", async () => {
  const { client } = createClient();
  const { fetch } = new FakeHpcai();
  const unauthorized = new RestClient({ apiKey: "wrong", fetch });
  const all = await lastValueFrom(client.listAllCheckpoints$().pipe(toArray()));
  const failed = await results(unauthorized, all);
  assertEquals(failed.length, all.length);
  for (const result of failed) {
    assertEquals(result.type, "failed");
    assertInstanceOf((result as { error: unknown }).error, AuthenticationError);
  }
});

Deno.test("deleteCheckpoints$ deletes nothing if the iterable throws", async () => {
  const { fake, client } = createClient();
  const broken = new Error("broken");
  const checkpoints = function* () {
    yield PATH;
    throw broken;
  };
  assertEquals(await assertRejects(() => results(client, checkpoints())), broken);
  assertEquals(fake.requests.length, 0);
});

Deno.test("deleteCheckpoints$ with dryRun emits planned results and sends no request", async () => {
  const { fake, client } = createClient();
  assertEquals(
    outcomes(await results(client, [PATH, "nonsense"], { dryRun: true })),
    new Map([[PATH, "planned"], ["nonsense", InvalidCheckpointPathError.name]]),
  );
  assertEquals(fake.requests.length, 0);
});

Deno.test("deleteCheckpoints$ runs four deletions concurrently and emits results as they complete", () => {
  runMarbles(
    ({ cold, expectObservable, expectSubscriptions }) => {
      const ids = ["a", "b", "c", "d", "e"];
      const paths = ids.map((id) => `hpcai://r/weights/${id}`);
      const deletions = [9, 1, 20, 20, 1].map((ms) => cold(`${ms}ms (x|)`, { x: undefined }));
      const deleted$ = deleteCheckpoints$(
        (path) => deletions[paths.indexOf(String(path))] ?? cold("#"),
        paths,
      );
      const deleted = Object.fromEntries(
        ids.map((id) => [id, { type: "deleted" as const, checkpoint: `hpcai://r/weights/${id}` }]),
      );
      expectObservable(deleted$, "--------------!").toBe("-be 6ms a", deleted);
      const [, , c, d, e] = deletions;
      expectSubscriptions(c?.subscriptions ?? []).toBe("^-------------!");
      expectSubscriptions(d?.subscriptions ?? []).toBe("^-------------!");
      expectSubscriptions(e?.subscriptions ?? []).toBe("-^!");
    },
  );
});

Deno.test("deleteCheckpoints$ aborts the requests in flight on unsubscribe and starts no more", async () => {
  const { fake, client } = createClient();
  fake.faults.add({ type: "delay", ms: Infinity }, { times: Infinity });
  const events: string[] = [];
  client.events$.subscribe(({ type, url }) => {
    events.push(`${type} ${url.slice(url.lastIndexOf("/") + 1)}`);
  });
  const ids = ["step_0010", "step_0020", "final"];
  const named = ids.map((checkpointId) => ({ trainingRunId: RUN, checkpointId }));
  const bothSent = lastValueFrom(client.events$.pipe(take(2)));
  const deleting = client.deleteCheckpoints$(named, { concurrency: 2 }).subscribe();
  await bothSent;
  deleting.unsubscribe();
  assertEquals(events, [
    "request step_0010",
    "request step_0020",
    "cancel step_0010",
    "cancel step_0020",
  ]);
});

for (
  const [what, args] of [
    ["one path", [PATH]],
    ["undefined", [undefined]],
    ["one checkpoint", [{ trainingRunId: RUN, checkpointId: "final" }]],
    ["a concurrency of 0", [[PATH], { concurrency: 0 }]],
    ["a dryRun that is not a boolean", [[PATH], { dryRun: "no" }]],
    ["options that are null", [[PATH], null]],
  ] as const
) {
  Deno.test(`deleteCheckpoints$ rejects ${what} before any request`, async () => {
    const { fake, client } = createClient();
    // @ts-expect-error: JavaScript callers may pass it
    const error = await assertRejects(() => results(client, ...args));
    assertInstanceOf(error, InvalidArgumentError);
    assertEquals(fake.requests.length, 0);
  });
}
