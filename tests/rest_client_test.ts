import {
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { assertSpyCalls, stub } from "@std/testing/mock";
import { RestClient } from "@hpcai/rx";
import { FakeHpcai } from "@hpcai/rx/testing";
import fc from "fast-check";
import { firstValueFrom, lastValueFrom, type Observable, toArray } from "rxjs";
import {
  BadRequestError,
  InvalidArgumentError,
  InvalidCheckpointPathError,
  NotFoundError,
} from "../src/errors.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";
const PATH = `hpcai://${RUN}/weights/step_0010`;

function fakeAndClient() {
  const fake = new FakeHpcai();
  const client = new RestClient({
    apiKey: fake.apiKey,
    fetch: fake.fetch,
    retry: { initialDelayMs: 0, maxDelayMs: 0 },
  });
  return { fake, client };
}

Deno.test("listTrainingRuns$ requests 20 runs from the beginning", async () => {
  const { fake, client } = fakeAndClient();
  const { trainingRuns, cursor } = await firstValueFrom(client.listTrainingRuns$());
  assertEquals(trainingRuns.map((run) => run.trainingRunId), fake.trainingRunIds.slice(0, 20));
  assertEquals(cursor, { offset: 0, limit: 20, totalCount: 24 });
});

Deno.test("listTrainingRuns$ skips `offset` runs and emits `limit` of them", async () => {
  const { fake, client } = fakeAndClient();
  const { trainingRuns } = await firstValueFrom(client.listTrainingRuns$({ limit: 3, offset: 5 }));
  assertEquals(trainingRuns.map((run) => run.trainingRunId), fake.trainingRunIds.slice(5, 8));
});

Deno.test("listAllTrainingRuns$ emits every run, page by page", async () => {
  const { fake, client } = fakeAndClient();
  const runs = await lastValueFrom(client.listAllTrainingRuns$({ pageSize: 7 }).pipe(toArray()));
  assertEquals(runs.map((run) => run.trainingRunId), fake.trainingRunIds);
});

Deno.test("getTrainingRunByCheckpointPath$ emits the run that getTrainingRun$ emits", async () => {
  const { client } = fakeAndClient();
  const run = await firstValueFrom(client.getTrainingRun$(RUN));
  assertEquals(run.baseModel, "Qwen/Qwen3-8B");
  assertEquals(await firstValueFrom(client.getTrainingRunByCheckpointPath$(PATH)), run);
});

Deno.test("listCheckpoints$ emits the run's checkpoints", async () => {
  const { client } = fakeAndClient();
  const { checkpoints } = await firstValueFrom(client.listCheckpoints$(RUN));
  assertEquals(checkpoints.map(({ checkpointId }) => checkpointId), [
    "step_0010",
    "step_0010-sampler",
    "step_0020",
    "final",
  ]);
});

for (
  const [name, remove] of [
    ["deleteCheckpoint$", (client: RestClient) => client.deleteCheckpoint$(RUN, "step_0010")],
    [
      "deleteCheckpointByCheckpointPath$",
      (client: RestClient) => client.deleteCheckpointByCheckpointPath$(PATH),
    ],
  ] as const
) {
  Deno.test(`${name} emits undefined once and deletes the checkpoint`, async () => {
    const { fake, client } = fakeAndClient();
    assertEquals(await lastValueFrom(remove(client).pipe(toArray())), [undefined]);
    assertEquals(fake.checkpoints(RUN).some((c) => c.checkpointId === "step_0010"), false);
  });
}

Deno.test("deleteCheckpoint$ treats a 404 after a lost response as success", async () => {
  for (
    const fault of [
      { type: "connection-error", afterEffect: true },
      { type: "status", status: 502, afterEffect: true },
    ] as const
  ) {
    const { fake, client } = fakeAndClient();
    fake.faults.add(fault);
    await firstValueFrom(client.deleteCheckpoint$(RUN, "step_0010"));
    assertEquals(fake.requests.length, 2);
  }
});

Deno.test("deleteCheckpoint$ of an unknown checkpoint fails with a NotFoundError", async () => {
  const { client } = fakeAndClient();
  const error = await assertRejects(() => firstValueFrom(client.deleteCheckpoint$(RUN, "none")));
  assertInstanceOf(error, NotFoundError);
});

Deno.test("deleteCheckpoint$ fails with a NotFoundError for a 404 after a 429", async () => {
  const { fake, client } = fakeAndClient();
  fake.faults.add({ type: "status", status: 429 });
  const error = await assertRejects(() => firstValueFrom(client.deleteCheckpoint$(RUN, "none")));
  assertInstanceOf(error, NotFoundError);
});

Deno.test("deleteCheckpoint$ keeps nothing of an earlier subscription", async () => {
  const { fake, client } = fakeAndClient();
  const delete$ = client.deleteCheckpoint$(RUN, "step_0010");
  fake.faults.add({ type: "connection-error", afterEffect: true });
  await firstValueFrom(delete$);
  assertInstanceOf(await assertRejects(() => firstValueFrom(delete$)), NotFoundError);
});

Deno.test("BadRequestError contains the server's hint", async () => {
  const { fake, client } = fakeAndClient();
  const message = "Use weights/step_0010";
  fake.faults.add({ type: "status", status: 400, shape: "fastapi", message });
  const error = await assertRejects(() => firstValueFrom(client.deleteCheckpoint$(RUN, "x")));
  assertInstanceOf(error, BadRequestError);
  assertStringIncludes(error.message, message);
});

Deno.test("RestClient uses the global fetch by default", async () => {
  const run = { training_run_id: RUN, base_model: "b", model_owner: "o", is_lora: false };
  using fetchStub = stub(
    globalThis,
    "fetch",
    () => Promise.resolve(Response.json({ ...run, last_request_time: "2026-01-07T10:19:18" })),
  );
  const client = new RestClient({ apiKey: "k" });
  const { lastRequestTime } = await firstValueFrom(client.getTrainingRun$(RUN));
  assertEquals(lastRequestTime?.toISOString(), "2026-01-07T10:19:18.000Z");
  assertSpyCalls(fetchStub, 1);
});

Deno.test("RestClient reports invalid options on the error channel of every operation", async () => {
  const client = new RestClient({ apiKey: "k", baseUrl: "ftp://h.example" });
  const operations: Observable<unknown>[] = [
    client.listTrainingRuns$(),
    client.listAllTrainingRuns$(),
    client.getTrainingRun$(RUN),
    client.getTrainingRunByCheckpointPath$(PATH),
    client.listCheckpoints$(RUN),
    client.downloadCheckpointArchive$(RUN, "c"),
    client.downloadCheckpointArchiveByCheckpointPath$(PATH),
    client.download$(PATH),
    client.deleteCheckpoint$(RUN, "c"),
    client.deleteCheckpointByCheckpointPath$(PATH),
  ];
  for (const operation$ of operations) {
    const error = await assertRejects(() => firstValueFrom(operation$));
    assertInstanceOf(error, InvalidArgumentError);
    assertEquals(error.argument, "baseUrl");
  }
});

/** JavaScript callers can pass any value. */
const toNever = (value: unknown) => value as never;

const badIds = ["", " ", ".", "..", "a/b", "\ud800", undefined, null, 7, {}];
const badCheckpointIds = ["", ".", "..", "a/../b", "/a", "a/", "a//b", undefined, 7];
const badPaths = [
  "",
  "r/weights/c",
  "tinker://r/weights/c",
  "hpcai://r//c",
  "hpcai://r",
  "hpcai:///weights/c",
  7,
];

const rejections: readonly (readonly [
  name: string,
  call: (client: RestClient, value: never) => Observable<unknown>,
  values: readonly unknown[],
])[] = [
  ["getTrainingRun$", (c, v) => c.getTrainingRun$(v), badIds],
  ["listCheckpoints$", (c, v) => c.listCheckpoints$(v), badIds],
  ["deleteCheckpoint$", (c, v) => c.deleteCheckpoint$(v, "c"), badIds],
  ["deleteCheckpoint$", (c, v) => c.deleteCheckpoint$("r", v), badCheckpointIds],
  ["downloadCheckpointArchive$", (c, v) => c.downloadCheckpointArchive$(v, "c"), badIds],
  [
    "downloadCheckpointArchive$",
    (c, v) => c.downloadCheckpointArchive$("r", v),
    badCheckpointIds,
  ],
  ["getTrainingRunByCheckpointPath$", (c, v) => c.getTrainingRunByCheckpointPath$(v), badPaths],
  [
    "deleteCheckpointByCheckpointPath$",
    (c, v) => c.deleteCheckpointByCheckpointPath$(v),
    badPaths,
  ],
  [
    "downloadCheckpointArchiveByCheckpointPath$",
    (c, v) => c.downloadCheckpointArchiveByCheckpointPath$(v),
    badPaths,
  ],
  ["listTrainingRuns$", (c, v) => c.listTrainingRuns$({ limit: v }), [
    0,
    -1,
    1.5,
    NaN,
    "7",
    null,
  ]],
  ["listTrainingRuns$", (c, v) => c.listTrainingRuns$({ offset: v }), [-1, 0.5, Infinity, "7"]],
];

for (const [name, call, values] of rejections) {
  Deno.test(`${name} rejects ${Deno.inspect(values)} before any request`, async () => {
    const { fake, client } = fakeAndClient();
    for (const value of values) {
      const error = await assertRejects(() => firstValueFrom(call(client, toNever(value))));
      assertInstanceOf(error, InvalidArgumentError);
      assertEquals(error instanceof InvalidCheckpointPathError, values === badPaths);
      assertMatch(error.message, /expected|must be/);
    }
    assertEquals(fake.requests, []);
  });
}

Deno.test("RestClient encodes ids so that a server that decodes the path finds the same id in its place", async () => {
  const id = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(
      fc.constantFrom(".", "..", "/", "%2e", "%2f", "\\", "?", "#", ":", "a", " ", "archive"),
    )
      .map((pieces) => pieces.join("")),
  );
  await fc.assert(
    fc.asyncProperty(id, id, async (trainingRunId, checkpointId) => {
      const paths: string[] = [];
      const client = new RestClient({
        apiKey: "k",
        baseUrl: "https://h.example/base",
        fetch: (input) => {
          paths.push(new URL(String(input)).pathname);
          return Promise.resolve(new Response());
        },
      });
      try {
        await firstValueFrom(client.deleteCheckpoint$(trainingRunId, checkpointId));
      } catch (error) {
        assertInstanceOf(error, InvalidArgumentError);
        assertEquals(paths, []);
        return;
      }
      const [path = ""] = paths;
      assertEquals(
        path.split("/").map(decodeURIComponent),
        ["", "base", "api", "v1", "training_runs", trainingRunId, "checkpoints"]
          .concat(checkpointId.split("/")),
      );
    }),
  );
});
