import { assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import {
  ApiStatusError,
  AuthenticationError,
  BadRequestError,
  ConflictError,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
  RestClient,
  UnprocessableEntityError,
} from "@hpcai/rx";
import { type ErrorShape, FakeHpcai, type Fault } from "@hpcai/rx/testing";
import { filter, firstValueFrom } from "rxjs";
import { serve } from "./loopback_server.ts";

const classes: ReadonlyArray<[status: number, StatusError: typeof ApiStatusError]> = [
  [400, BadRequestError],
  [401, AuthenticationError],
  [403, PermissionDeniedError],
  [404, NotFoundError],
  [409, ConflictError],
  [418, ApiStatusError],
  [422, UnprocessableEntityError],
  [429, RateLimitError],
  [500, InternalServerError],
  [501, InternalServerError],
  [503, InternalServerError],
  [599, InternalServerError],
];

/** The fields that each shape has of the code `odd`, the message `Something is odd` and the details. */
const shapes: Record<ErrorShape, { message: string; code?: string; details?: unknown }> = {
  "hpcai": { message: "Something is odd", code: "odd", details: { hint: "use weights/final" } },
  "fastapi": { message: "Something is odd" },
  "fastapi-validation": {
    message: "body: Something is odd",
    details: [{ loc: ["body"], msg: "Something is odd", type: "odd" }],
  },
  "html": { message: "Something is odd" },
  "empty": { message: "the response is empty" },
};

/** The error of a request over a socket, without retries. */
async function failure(fault: Fault): Promise<ApiStatusError> {
  const fake = new FakeHpcai();
  fake.faults.add(fault);
  await using server = serve(fake.handler);
  const client = new RestClient({ apiKey: fake.apiKey, baseUrl: server.url, retry: false });
  const error = await assertRejects(() => firstValueFrom(client.listTrainingRuns$()));
  assertEquals(server.requests.length, 1);
  assertInstanceOf(error, ApiStatusError);
  assertEquals(error.requestUrl, `${server.url}/api/v1/training_runs`);
  assertEquals(error.method, "GET");
  return error;
}

for (const [status, StatusError] of classes) {
  Deno.test(`listTrainingRuns$ fails with a ${StatusError.name} for a ${status} with any shape of body`, async () => {
    for (const [shape, { message, code, details }] of Object.entries(shapes)) {
      const error = await failure({
        type: "status",
        status,
        // Object.entries loses the keys' type.
        shape: shape as ErrorShape,
        code: "odd",
        message: "Something is odd",
        details: { hint: "use weights/final" },
      });
      assertEquals(error.constructor, StatusError);
      assertEquals(error.name, StatusError.name);
      assertEquals(error.status, status);
      assertStringIncludes(error.message, `HTTP ${status}: `);
      assertStringIncludes(error.message, message);
      assertEquals(error.code, code);
      assertEquals(error.details, details);
    }
  });
}

Deno.test("ApiStatusError quotes a proxy's page without markup, shortened", async () => {
  const page = `<html><head><style>p { color: red }</style></head><body><h1>Bad gateway</h1>` +
    `<p>${"nginx ".repeat(10_000)}</p></body></html>`;
  const { message } = await failure({
    type: "status",
    status: 502,
    body: page,
    headers: { "Content-Type": "text/html" },
  });
  assertStringIncludes(message, '"Bad gateway nginx nginx');
  assertEquals(message.length < 500, true);
  assertEquals(/[<>{}]/.test(message), false);
});

Deno.test("ApiStatusError quotes JSON without a message", async () => {
  for (const body of ["null", "[]", "{}", '"sorry"', '{"error":{"nested":true}}']) {
    const { message } = await failure({ type: "status", status: 500, body });
    assertStringIncludes(message, `the response is ${JSON.stringify(body)}`);
  }
});

Deno.test("ApiStatusError has its status where the body is interrupted", async () => {
  const fake = new FakeHpcai();
  await using server = serve(() => {
    const body = new ReadableStream({
      pull: (controller) => controller.error(new Error("lost")),
    });
    return new Response(body, { status: 409 });
  });
  const client = new RestClient({ apiKey: fake.apiKey, baseUrl: server.url, retry: false });
  await assertRejects(() => firstValueFrom(client.listTrainingRuns$()), ConflictError);
});

Deno.test("listTrainingRuns$ waits exactly as long as Retry-After", async () => {
  const fake = new FakeHpcai();
  fake.faults.add({ type: "status", status: 429, headers: { "Retry-After": "2" } });
  await using server = serve(fake.handler);
  using time = new FakeTime();
  const client = new RestClient({ apiKey: fake.apiKey, baseUrl: server.url });
  const retry = firstValueFrom(client.events$.pipe(filter((event) => event.type === "retry")));
  const page = firstValueFrom(client.listTrainingRuns$());
  const { delayMs, error } = await retry;
  assertEquals(delayMs, 2000);
  assertInstanceOf(error, RateLimitError);
  assertEquals(error.retryAfterMs, 2000);
  await time.tickAsync(1999);
  await time.runMicrotasks();
  assertEquals(server.requests.length, 1);
  await time.tickAsync(1);
  assertEquals((await page).trainingRuns.length, 20);
  assertEquals(server.requests.length, 2);
});

Deno.test("retryAfterMs is the time until the date of Retry-After", async () => {
  const fake = new FakeHpcai();
  using time = new FakeTime(Date.UTC(2026, 0, 7, 10, 0, 0));
  const date = new Date(time.now + 30_000).toUTCString();
  fake.faults.add({ type: "status", status: 503, headers: { "Retry-After": date } });
  await using server = serve(fake.handler);
  const client = new RestClient({ apiKey: fake.apiKey, baseUrl: server.url, retry: false });
  const error = await assertRejects(
    () => firstValueFrom(client.listTrainingRuns$()),
    InternalServerError,
  );
  assertEquals(error.retryAfterMs, 30_000);
});

Deno.test("listTrainingRuns$ fails at once if Retry-After exceeds maxRetryAfterMs", async () => {
  const fake = new FakeHpcai();
  fake.faults.add({ type: "status", status: 429, headers: { "Retry-After": "3600" } });
  await using server = serve(fake.handler);
  const client = new RestClient({ apiKey: fake.apiKey, baseUrl: server.url });
  const error = await assertRejects(
    () => firstValueFrom(client.listTrainingRuns$()),
    RateLimitError,
  );
  assertEquals(error.retryAfterMs, 3_600_000);
  assertEquals(server.requests.length, 1);
});
