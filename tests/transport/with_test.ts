import {
  type ClientEvent,
  InvalidArgumentError,
  RestClient,
  type RestClientOptions,
} from "@hpcai/rx";
import { saveArchive$ } from "@hpcai/rx/fs";
import { FakeHpcai } from "@hpcai/rx/testing";
import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { firstValueFrom, type Observable, take } from "rxjs";

const PAGE = { training_runs: [], cursor: { offset: 0, limit: 20, total_count: 0 } };

/** A client that records the headers of its requests. */
function recordingClient(options: RestClientOptions, respond: () => Response | Promise<Response>) {
  const requests: Headers[] = [];
  const client = new RestClient({
    apiKey: "k",
    baseUrl: "https://api.example",
    fetch: (_input, init) => {
      requests.push(new Headers(init?.headers));
      return Promise.resolve(respond());
    },
    ...options,
  });
  return { client, requests };
}
const page = () => Response.json(PAGE);
const unavailable = () => new Response(null, { status: 503 });

Deno.test("with adds headers to those of the client, replaces equal names, and does not change the client", async () => {
  const { client, requests } = recordingClient(
    { headers: { "X-Team": "a", "X-App": "console" } },
    page,
  );
  const other = client.with({ headers: { "x-team": "b", "X-Trace": "1" } });
  await firstValueFrom(other.listTrainingRuns$());
  await firstValueFrom(client.listTrainingRuns$());
  assertEquals(
    requests.map((headers) => ["X-Team", "X-App", "X-Trace"].map((name) => headers.get(name))),
    [["b", "console", "1"], ["a", "console", null]],
  );
  assertEquals(requests[0]?.get("X-API-Key"), "k");
});

Deno.test("with replaces the timeout", async () => {
  using time = new FakeTime();
  const { client } = recordingClient(
    { timeoutMs: 1000, retry: false },
    () => new Promise(() => {}),
  );
  const failed = assertRejects(() =>
    firstValueFrom(client.with({ timeoutMs: 10 }).listTrainingRuns$())
  );
  await time.tickAsync(10);
  const { message } = Object(await failed);
  assertEquals(String(message).startsWith("The request timed out after 10 ms"), true);
});

Deno.test("with merges retry over the client's, field by field", async () => {
  const { client, requests } = recordingClient(
    { retry: { maxRetries: 1, initialDelayMs: 0, maxDelayMs: 0 } },
    unavailable,
  );
  const retryingClient = client.with({ retry: { maxRetries: 2 } });
  await assertRejects(() => firstValueFrom(retryingClient.listTrainingRuns$()));
  assertEquals(requests.length, 3);
  await assertRejects(() => firstValueFrom(retryingClient.with({}).listTrainingRuns$()));
  assertEquals(requests.length, 6);
});

Deno.test("with({ retry: false }) does not retry, and a later with can set retry again", async () => {
  const { client, requests } = recordingClient(
    { retry: { maxRetries: 1, initialDelayMs: 0, maxDelayMs: 0 } },
    unavailable,
  );
  const once = client.with({ retry: false });
  await assertRejects(() => firstValueFrom(once.listTrainingRuns$()));
  assertEquals(requests.length, 1);
  const twice = once.with({ retry: { maxRetries: 1 } });
  await assertRejects(() => firstValueFrom(twice.listTrainingRuns$()));
  assertEquals(requests.length, 3);
});

Deno.test("with shares events$, and the numbers of calls", async () => {
  const { client } = recordingClient({}, page);
  const other = client.with({ timeoutMs: 5000 });
  const events: ClientEvent[] = [];
  client.events$.subscribe((event) => events.push(event));
  await firstValueFrom(other.listTrainingRuns$());
  await firstValueFrom(client.listTrainingRuns$());
  assertEquals(events.map(({ type, callId }) => `${type} ${callId}`), [
    "request 1",
    "response 1",
    "request 2",
    "response 2",
  ]);
  assertEquals(other.events$, client.events$);
});

Deno.test("with shares the limit of concurrent requests", async () => {
  const responses: ((response: Response) => void)[] = [];
  const { client, requests } = recordingClient(
    { maxConcurrentRequests: 1 },
    () => new Promise((resolve) => responses.push(resolve)),
  );
  const first = firstValueFrom(client.listTrainingRuns$());
  const second = firstValueFrom(client.with({ retry: false }).listTrainingRuns$());
  for (let turn = 0; turn < 30; turn++) await Promise.resolve();
  assertEquals(requests.length, 1);
  responses[0]?.(page());
  await first;
  while (responses.length < 2) await new Promise((resolve) => setTimeout(resolve, 0));
  responses[1]?.(page());
  await second;
});

Deno.test("with shares the polls of watches", async () => {
  const fake = new FakeHpcai({ trainingRuns: 1 });
  const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch });
  const options = { intervalMs: 60_000 };
  const events: ClientEvent[] = [];
  client.events$.subscribe((event) => events.push(event));
  const subscription = client.watchTrainingRuns$(options).subscribe();
  await firstValueFrom(client.with({ timeoutMs: 5000 }).watchTrainingRuns$(options).pipe(take(1)));
  subscription.unsubscribe();
  assertEquals(events.filter(({ type }) => type === "request").length, 1);
});

Deno.test("with invalid overrides neither joins a watch of the client nor fails it", async () => {
  const fake = new FakeHpcai({ trainingRuns: 1 });
  const [trainingRunId = ""] = fake.trainingRunIds;
  const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch });
  const invalidClient = client.with({ timeoutMs: 0 });
  const options = { intervalMs: 60_000 };
  for (
    const watch$ of [
      (client: RestClient): Observable<unknown> => client.watchTrainingRuns$(options),
      (client: RestClient): Observable<unknown> => client.watchCheckpoints$(trainingRunId, options),
    ]
  ) {
    const failed = assertRejects(
      () => firstValueFrom(watch$(invalidClient)),
      InvalidArgumentError,
    );
    const keptOpen = watch$(client).subscribe();
    await Promise.all([failed, firstValueFrom(watch$(client))]);
    await assertRejects(() => firstValueFrom(watch$(invalidClient)), InvalidArgumentError);
    keptOpen.unsubscribe();
  }
});

const invalid: [string, unknown, string][] = [
  ["null", null, "overrides"],
  ["an invalid timeoutMs", { timeoutMs: 0 }, "timeoutMs"],
  ["an invalid retry field", { retry: { maxRetries: -1 } }, "retry.maxRetries"],
  ["invalid headers", { headers: { "a b": "1" } }, "headers"],
];
for (const [what, overrides, argument] of invalid) {
  Deno.test(`with ${what} fails on the error channel, before any request`, async () => {
    const { client, requests } = recordingClient({}, page);
    // JavaScript callers can pass any value.
    const other = client.with(overrides as { timeoutMs: number });
    const error = await assertRejects(() => firstValueFrom(other.listTrainingRuns$()));
    assertInstanceOf(error, InvalidArgumentError);
    assertEquals([error.argument, requests.length], [argument, 0]);
  });
}

Deno.test("with of a client whose options are invalid fails with the same error", async () => {
  const { client } = recordingClient({ maxConcurrentRequests: 0 }, page);
  const error = await assertRejects(() =>
    firstValueFrom(client.with({ timeoutMs: 5 }).listTrainingRuns$())
  );
  assertInstanceOf(error, InvalidArgumentError);
  assertEquals(error.argument, "maxConcurrentRequests");
});

Deno.test("with returns a client that saves archives", async () => {
  const fake = new FakeHpcai();
  const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch });
  const directory = await Deno.makeTempDir();
  try {
    const events: string[] = [];
    await saveArchive$(
      client.with({ retry: false }),
      "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/final",
      `${directory}/final.tar.gz`,
    ).forEach(({ type }) => events.push(type));
    assertEquals(events.at(-1), "complete");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
