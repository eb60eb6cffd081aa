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
import { serveRaw } from "./raw_server.ts";

// Fails each of these tests if a timer or a connection outlives the watch.
Deno.test.sanitizer({ ops: true, resources: true });

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";
const OFTEN = { intervalMs: 1 };

/** A fake behind a socket, and a client of it that takes every error for one. */
function serveFake(trainingRuns?: number) {
  const fake = new FakeHpcai(trainingRuns === undefined ? {} : { trainingRuns });
  const server = serve(fake.handler);
  const client = new RestClient({ apiKey: fake.apiKey, baseUrl: server.url, retry: false });
  return { fake, client, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** Does the next of these each time that something is emitted; completes after the last. */
function stepping<T>(source$: Observable<T>, ...steps: readonly (() => unknown)[]): Promise<T[]> {
  let step = 0;
  return lastValueFrom(
    source$.pipe(take(steps.length + 1), tap(() => steps[step++]?.()), toArray()),
  );
}

const shownRun = ({ type, value }: WatchEvent<TrainingRun>) => `${type} ${value.trainingRunId}`;
const shownCheckpoint = ({ type, value }: WatchEvent<Checkpoint>) =>
  `${type} ${value.checkpointId}`;

Deno.test("a run that is added, touched or removed is added, changed, removed", async () => {
  await using server = serveFake(1);
  const { fake, client } = server;
  const [first = ""] = fake.trainingRunIds;
  let added = "";
  const changes = await stepping(
    client.watchTrainingRuns$(OFTEN),
    () => added = fake.addTrainingRun(),
    () => fake.touchTrainingRun(first),
    () => fake.removeTrainingRun(added),
  );
  assertEquals(changes.map(shownRun), [
    `added ${first}`,
    `added ${added}`,
    `changed ${first}`,
    `removed ${added}`,
  ]);
  const [before, , touched] = changes;
  assertEquals(touched?.type === "changed" && touched.previous, before?.value);
});

Deno.test("a checkpoint that is saved or deleted is added, removed", async () => {
  await using server = serveFake();
  const { fake, client } = server;
  const wait = () => {};
  const changes = await stepping(
    client.watchCheckpoints$(RUN, OFTEN),
    wait,
    wait,
    wait,
    () => fake.addCheckpoint(RUN, { checkpointId: "step_0030" }),
    () => client.deleteCheckpoint$(RUN, "step_0010").subscribe(),
  );
  assertEquals(changes.map(shownCheckpoint), [
    "added step_0010",
    "added step_0010-sampler",
    "added step_0020",
    "added final",
    "added step_0030",
    "removed step_0010",
  ]);
});

Deno.test("with emitInitial: false what is there already is not emitted", async () => {
  await using server = serveFake(3);
  const { fake, client } = server;
  const [, second = ""] = fake.trainingRunIds;
  const watching = firstValueFrom(
    client.watchTrainingRuns$({ ...OFTEN, emitInitial: false }).pipe(map(shownRun)),
  );
  await firstValueFrom(client.events$.pipe(filter(({ type }) => type === "response"), skip(1)));
  fake.removeTrainingRun(second);
  assertEquals(await watching, `removed ${second}`);
});

Deno.test("two calls that watch the same share the requests, a late subscriber asks for nothing", async () => {
  await using server = serveFake(3);
  const { fake, client } = server;
  const seldom = { intervalMs: 60_000 };
  const first = new Subject<WatchEvent<TrainingRun>>();
  const subscription = client.watchTrainingRuns$(seldom).subscribe(first);
  const watching = merge(first, client.watchTrainingRuns$(seldom)).pipe(take(6), toArray());
  assertEquals((await lastValueFrom(watching)).length, 6);
  const late$ = client.watchTrainingRuns$({ ...seldom, emitInitial: true }).pipe(
    take(3),
    toArray(),
  );
  assertEquals(
    (await lastValueFrom(late$)).map(shownRun),
    fake.trainingRunIds.map((id) => `added ${id}`),
  );
  assertEquals(fake.requests.length, 1);
  subscription.unsubscribe();
});

Deno.test("a poll that fails on its second page emits nothing of the first, and the next one all", async () => {
  await using server = serveFake(250);
  const { fake, client } = server;
  const notes: string[] = [];
  client.events$.pipe(filter(({ type }) => type === "failure")).subscribe(({ type, operation }) =>
    notes.push(`${type} ${operation}`)
  );
  fake.faults.add(
    { type: "status", status: 500 },
    { on: ({ url }) => new URL(url).searchParams.get("offset") !== "0" },
  );
  const changes$ = client.watchTrainingRuns$(OFTEN).pipe(map(shownRun), take(250));
  await changes$.forEach((change) => notes.push(change));
  assertEquals(notes, [
    "failure listTrainingRuns",
    ...fake.trainingRunIds.map((id) => `added ${id}`),
  ]);
});

Deno.test("a key that is refused ends a watch, and so does a run that is no longer there", async () => {
  await using server = serveFake(1);
  const { fake, client } = server;
  fake.faults.add({ type: "status", status: 401 });
  const refused = await assertRejects(() => firstValueFrom(client.watchTrainingRuns$(OFTEN)));
  assertInstanceOf(refused, AuthenticationError);
  const watching = client.watchCheckpoints$(RUN, OFTEN).pipe(
    tap(({ value }) => {
      if (value.checkpointId === "final") fake.removeTrainingRun(RUN);
    }),
  );
  assertInstanceOf(await assertRejects(() => lastValueFrom(watching)), NotFoundError);
});

Deno.test("unsubscribing from a watch disconnects from the server", async () => {
  const arrived = Promise.withResolvers<void>();
  const left = Promise.withResolvers<void>();
  await using server = serveRaw(async (connection) => {
    arrived.resolve();
    await connection.closedByClient();
    left.resolve();
  });
  const client = new RestClient({ apiKey: "k", baseUrl: server.url });
  const subscription = client.watchCheckpoints$(RUN).subscribe();
  await arrived.promise;
  subscription.unsubscribe();
  await left.promise;
});

Deno.test("arguments and options that are wrong are refused before any request", async () => {
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
