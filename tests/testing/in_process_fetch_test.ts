import { assert, assertEquals, assertRejects } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { FakeHpcai } from "@hpcai/rx/testing";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";
const RUNS = "https://www.hpc-ai.com/finetunesdk/api/v1/training_runs";
const ARCHIVE = `${RUNS}/${RUN}/checkpoints/final/archive`;

Deno.test("fetch needs no receiver and accepts a string, a URL or a Request", async () => {
  const { fetch, apiKey } = new FakeHpcai();
  const headers = { "X-API-Key": apiKey };
  for (const input of [RUNS, new URL(RUNS), new Request(RUNS, { headers })]) {
    const response = await (input instanceof Request ? fetch(input) : fetch(input, { headers }));
    assertEquals([response.status, response.url, response.redirected], [200, RUNS, false]);
    await response.body?.cancel();
  }
});

Deno.test("fetch forwards the key to the target of a redirect, as the platform's fetch does", async () => {
  const fake = new FakeHpcai({ archiveResponse: "redirect" });
  const response = await fake.fetch(ARCHIVE, {
    headers: { "X-API-Key": fake.apiKey, Authorization: "Bearer x" },
  });
  assertEquals((await response.bytes()).length, 1_048_576);
  assert(response.redirected);
  assert(response.url.startsWith("https://storage.fake-hpcai.example/"));
  const headers = fake.requests.at(-1)?.headers;
  assertEquals(headers?.get("X-API-Key"), fake.apiKey);
  assertEquals(headers?.get("Authorization"), null);
});

Deno.test("redirect: error rejects with a TypeError", async () => {
  const fake = new FakeHpcai({ archiveResponse: "redirect" });
  const init = { headers: { "X-API-Key": fake.apiKey }, redirect: "error" } as const;
  await assertRejects(() => fake.fetch(ARCHIVE, init), TypeError, "Unexpected redirect");
});

Deno.test("fetch follows at most 20 redirects", async () => {
  const fake = new FakeHpcai();
  fake.faults.add({ type: "redirect", location: RUNS }, { times: Infinity });
  await assertRejects(() => fake.fetch(RUNS), TypeError, "More than 20 redirects");
  assertEquals(fake.requests.length, 21);
});

Deno.test("fetch changes the method to GET for a 303 and keeps it for a 307", async () => {
  for (const [status, method] of [[303, "GET"], [307, "DELETE"]] as const) {
    const fake = new FakeHpcai();
    fake.faults.add({ type: "redirect", status, location: "/elsewhere" });
    await (await fake.fetch(RUNS, { method: "DELETE" })).body?.cancel();
    assertEquals(fake.requests.at(-1)?.method, method);
  }
});

Deno.test("fetch with an aborted signal sends no request", async () => {
  const fake = new FakeHpcai();
  await assertRejects(() => fake.fetch(RUNS, { signal: AbortSignal.abort() }), DOMException);
  assertEquals(fake.requests.length, 0);
});

Deno.test("fetch rejects with the reason of an abort before the response", async () => {
  const fake = new FakeHpcai({ latencyMs: 60_000 });
  const controller = new AbortController();
  const response = fake.fetch(new Request(RUNS, { signal: controller.signal }));
  controller.abort(new RangeError("enough"));
  await assertRejects(() => response, RangeError, "enough");
});

Deno.test("fetch errors the body with the reason of an abort after the response", async () => {
  const fake = new FakeHpcai();
  const controller = new AbortController();
  const response = await fake.fetch(ARCHIVE, {
    headers: { "X-API-Key": fake.apiKey },
    signal: controller.signal,
  });
  const reader = response.body?.getReader();
  await reader?.read();
  controller.abort();
  await assertRejects(async () => await reader?.read(), DOMException, "abort");
});

Deno.test("latencyMs delays the response", async () => {
  using time = new FakeTime();
  const fake = new FakeHpcai({ latencyMs: 1000 });
  let isSettled = false;
  const response = fake.fetch(RUNS, { headers: { "X-API-Key": fake.apiKey } })
    .finally(() => isSettled = true);
  await time.tickAsync(999);
  await time.runMicrotasks();
  assertEquals(isSettled, false);
  await time.tickAsync(1);
  const { status, body } = await response;
  assertEquals(status, 200);
  await body?.cancel();
});
