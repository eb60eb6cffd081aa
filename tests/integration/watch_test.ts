import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import {
  AuthenticationError,
  type Checkpoint,
  InvalidArgumentError,
  NotFoundError,
  RestClient,
  type TrainingRun,
  type WatchEvent,
} from "@hpcai/rx";
import { FakeHpcai } from "@hpcai/rx/testing";
import {
  filter,
  firstValueFrom,
  lastValueFrom,
  map,
  merge,
  type Observable,
  skip,
  Subject,
  take,
  tap,
  toArray,
} from "rxjs";
import { serve } from "./loopback_server.ts";
import { serveRaw } from "./raw_responses.ts";

// Fails each test whose timers or connections remain after its watch.
Deno.test.sanitizer({ ops: true, resources: true });

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";
const FAST = { intervalMs: 1 };

/** Serves a fake to a client that does not retry. */
function serveFake(trainingRuns?: number) {
  const fake = new FakeHpcai(trainingRuns === undefined ? {} : { trainingRuns });
  const server = serve(fake.handler);
  const client = new RestClient({ apiKey: fake.apiKey, baseUrl: server.url, retry: false });
  return { fake, client, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** Performs one step after each value; completes with the value after the last step. */
function collectAfterEach<T>(
  source$: Observable<T>,
  ...steps: readonly (() => unknown)[]
): Promise<T[]> {
  let step = 0;
  return lastValueFrom(
    source$.pipe(take(steps.length + 1), tap(() => steps[step++]?.()), toArray()),
  );
}

const runText = ({ type, value }: WatchEvent<TrainingRun>) => `${type} ${value.trainingRunId}`;
const checkpointText = ({ type, value }: WatchEvent<Checkpoint>) => `${type} ${value.checkpointId}`;

Deno.test("watchTrainingRuns$ emits added, changed and removed runs", async () => {
  await using server = serveFake(1);
  const { fake, client } = server;
  const [first = ""] = fake.trainingRunIds;
  let added = "";
  const changes = await collectAfterEach(
    client.watchTrainingRuns$(FAST),
    () => added = fake.addTrainingRun(),
    () => fake.touchTrainingRun(first),
    () => fake.removeTrainingRun(added),
  );
  assertEquals(changes.map(runText), [
    `added ${first}`,
    `added ${added}`,
    `changed ${first}`,
    `removed ${added}`,
  ]);
  const [before, , touched] = changes;
  assertEquals(touched?.type === "changed" && touched.previous, before?.value);
});

Deno.test("watchCheckpoints$ emits added and removed checkpoints", async () => {
  await using server = serveFake();
  const { fake, client } = server;
  const noChange = () => {};
  const changes = await collectAfterEach(
    client.watchCheckpoints$(RUN, FAST),
    noChange,
    noChange,
    noChange,
    () => fake.addCheckpoint(RUN, { checkpointId: "step_0030" }),
    () => client.deleteCheckpoint$(RUN, "step_0010").subscribe(),
  );
  assertEquals(changes.map(checkpointText), [
    "added step_0010",
    "added step_0010-sampler",
    "added step_0020",
    "added final",
    "added step_0030",
    "removed step_0010",
  ]);
});

Deno.test("watchTrainingRuns$ with emitInitial: false skips the existing runs", async () => {
  await using server = serveFake(3);
  const { fake, client } = server;
  const [, second = ""] = fake.trainingRunIds;
  const watching = firstValueFrom(
    client.watchTrainingRuns$({ ...FAST, emitInitial: false }).pipe(map(runText)),
  );
  await firstValueFrom(client.events$.pipe(filter(({ type }) => type === "response"), skip(1)));
  fake.removeTrainingRun(second);
  assertEquals(await watching, `removed ${second}`);
});

Deno.test("watchTrainingRuns$ shares the requests of two calls and of a late subscriber", async () => {
  await using server = serveFake(3);
  const { fake, client } = server;
  const slow = { intervalMs: 60_000 };
  const first = new Subject<WatchEvent<TrainingRun>>();
  const subscription = client.watchTrainingRuns$(slow).subscribe(first);
  const watching = merge(first, client.watchTrainingRuns$(slow)).pipe(take(6), toArray());
  assertEquals((await lastValueFrom(watching)).length, 6);
  const late$ = client.watchTrainingRuns$({ ...slow, emitInitial: true }).pipe(
    take(3),
    toArray(),
  );
  assertEquals(
    (await lastValueFrom(late$)).map(runText),
    fake.trainingRunIds.map((id) => `added ${id}`),
  );
  assertEquals(fake.requests.length, 1);
  subscription.unsubscribe();
});

Deno.test("watchTrainingRuns$ emits no page of a poll that fails, and all of the next poll", async () => {
  await using server = serveFake(250);
  const { fake, client } = server;
  const notes: string[] = [];
  client.events$.pipe(filter(({ type }) => type === "error")).subscribe(({ type, operation }) =>
    notes.push(`${type} ${operation}`)
  );
  fake.faults.add(
    { type: "status", status: 500 },
    { on: ({ url }) => new URL(url).searchParams.get("offset") !== "0" },
  );
  const changes$ = client.watchTrainingRuns$(FAST).pipe(map(runText), take(250));
  await changes$.forEach((change) => notes.push(change));
  assertEquals(notes, [
    "error listTrainingRuns",
    ...fake.trainingRunIds.map((id) => `added ${id}`),
  ]);
});

Deno.test("watchTrainingRuns$ fails with a 401, and watchCheckpoints$ with a 404", async () => {
  await using server = serveFake(1);
  const { fake, client } = server;
  fake.faults.add({ type: "status", status: 401 });
  const error = await assertRejects(() => firstValueFrom(client.watchTrainingRuns$(FAST)));
  assertInstanceOf(error, AuthenticationError);
  const watching = client.watchCheckpoints$(RUN, FAST).pipe(
    tap(({ value }) => {
      if (value.checkpointId === "final") fake.removeTrainingRun(RUN);
    }),
  );
  assertInstanceOf(await assertRejects(() => lastValueFrom(watching)), NotFoundError);
});

Deno.test("unsubscribe from a watch disconnects from the server", async () => {
  const requested = Promise.withResolvers<void>();
  const disconnected = Promise.withResolvers<void>();
  await using server = await serveRaw(async (connection) => {
    requested.resolve();
    await connection.closed;
    disconnected.resolve();
  });
  const client = new RestClient({ apiKey: "k", baseUrl: server.url });
  const subscription = client.watchCheckpoints$(RUN).subscribe();
  await requested.promise;
  subscription.unsubscribe();
  await disconnected.promise;
});

Deno.test("watchTrainingRuns$ and watchCheckpoints$ reject invalid arguments and options before any request", async () => {
  await using server = serveFake();
  const { fake, client } = server;
  for (
    const [argument, change$] of [
      ["trainingRunId", client.watchCheckpoints$("a/b")],
      ["intervalMs", client.watchCheckpoints$(RUN, { intervalMs: -1 })],
      ["intervalMs", client.watchTrainingRuns$({ intervalMs: -1 })],
      ["baseUrl", new RestClient({ apiKey: "k", baseUrl: "ftp://h" }).watchTrainingRuns$()],
    ] as const
  ) {
    const error = await assertRejects(() => firstValueFrom<unknown>(change$));
    assertInstanceOf(error, InvalidArgumentError);
    assertEquals(error.argument, argument);
  }
  assertEquals(fake.requests.length, 0);
});
