import {
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertNotMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { firstValueFrom } from "rxjs";
import {
  ApiConnectionError,
  ApiRedirectError,
  ApiResponseValidationError,
  ApiTimeoutError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  InvalidArgumentError,
  PermissionDeniedError,
  RateLimitError,
} from "../../src/errors.ts";
import { RestClient } from "../../src/rest_client.ts";
import type { ClientEvent } from "../../src/transport/client_event.ts";

const PAGE = { training_runs: [], cursor: { offset: 0, limit: 20, total_count: 0 } };

/** A `fetch` with one result for each request: a response, an error to reject with, or none (`null`). */
function scriptedFetch(...results: (Response | Error | null)[]) {
  const requests: { url: string; headers: Headers; signal: AbortSignal | undefined }[] = [];
  const fetch = (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const signal = init?.signal ?? undefined;
    requests.push({ url: String(input), headers: new Headers(init?.headers), signal });
    const result = results.shift();
    if (result === undefined) return Promise.reject(new Error("one request too many"));
    if (result instanceof Response) return Promise.resolve(result);
    if (result instanceof Error) return Promise.reject(result);
    return new Promise((_, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason));
    });
  };
  return { fetch, requests };
}

function redirect(location: string, status = 302): Response {
  return new Response(null, { status, headers: { location } });
}

const RETRY_WITHOUT_DELAY = { initialDelayMs: 0, maxDelayMs: 0 };

Deno.test("listTrainingRuns$ sends the key, the caller's headers and Accept", async () => {
  const { fetch, requests } = scriptedFetch(Response.json(PAGE));
  const client = new RestClient({ apiKey: "sk-secret", fetch, headers: { "X-Team": "a" } });
  await firstValueFrom(client.listTrainingRuns$());
  assertEquals(requests[0]?.headers.get("X-API-Key"), "sk-secret");
  assertEquals(requests[0]?.headers.get("X-Team"), "a");
  assertEquals(requests[0]?.headers.get("Accept"), "application/json");
});

Deno.test("apiKey as a function is called for each attempt", async () => {
  const { fetch, requests } = scriptedFetch(
    new Response(null, { status: 503 }),
    Response.json(PAGE),
  );
  let calls = 0;
  const apiKey = () => Promise.resolve(`key-${++calls}`);
  const client = new RestClient({ apiKey, fetch, retry: RETRY_WITHOUT_DELAY });
  await firstValueFrom(client.listTrainingRuns$());
  assertEquals(requests.map(({ headers }) => headers.get("X-API-Key")), ["key-1", "key-2"]);
});

Deno.test("apiKey as a function with an invalid result fails before the request", async () => {
  const { fetch, requests } = scriptedFetch();
  const client = new RestClient({ apiKey: () => "sk-secret\n", fetch });
  const error = await assertRejects(() => firstValueFrom(client.listTrainingRuns$()));
  assertInstanceOf(error, InvalidArgumentError);
  assertNotMatch(error.message, /sk-secret/);
  assertEquals(requests, []);
});

const locked = new Error("the key store at https://vault.example/?token=s3cret is locked");
for (
  const [how, apiKey] of [
    ["rejects", () => Promise.reject(locked)],
    ["throws", () => {
      throw locked;
    }],
  ] as const
) {
  Deno.test(`apiKey as a function that ${how} ends the operation with its error as the cause`, async () => {
    const { fetch, requests } = scriptedFetch();
    const client = new RestClient({ apiKey, fetch });
    const error = await assertRejects(() => firstValueFrom(client.listTrainingRuns$()));
    assertInstanceOf(error, InvalidArgumentError);
    assertEquals([error.argument, error.cause === locked], ["apiKey", true]);
    assertEquals(
      error.message,
      "apiKey is a function that failed: the key store at https://vault.example/?[redacted] is locked",
    );
    assertEquals(requests, []);
  });
}

Deno.test("apiKey as a function that does not return a string fails before the request", async () => {
  const { fetch, requests } = scriptedFetch();
  // JavaScript callers can pass any value.
  const client = new RestClient(Object.assign({ fetch }, { apiKey: () => JSON.parse("42") }));
  const error = await assertRejects(() => firstValueFrom(client.listTrainingRuns$()));
  assertInstanceOf(error, InvalidArgumentError);
  assertEquals([error.argument, requests], ["apiKey", []]);
});

/** A client whose `fetch` can return any value, as in JavaScript. */
function clientOf(fetch: () => unknown): RestClient {
  return new RestClient({ apiKey: "sk-secret", fetch: fetch as typeof globalThis.fetch });
}

Deno.test("fetch that throws is retried as one that rejects, and its error is the cause", async () => {
  let calls = 0;
  const fetch = () => {
    calls++;
    throw new RangeError("boom");
  };
  const retry = { ...RETRY_WITHOUT_DELAY, maxRetries: 2 };
  const client = new RestClient({ apiKey: "sk-secret", fetch, retry });
  const error = await assertRejects(() => firstValueFrom(client.listTrainingRuns$()));
  assertInstanceOf(error, ApiConnectionError);
  assertMatch(error.message, /^The connection failed: boom /);
  assertInstanceOf(error.cause, Error);
  assertEquals([error.cause.name, error.cause.message, calls], ["RangeError", "boom", 3]);
});

const faultyFetches: Record<string, () => unknown> = {
  "returns nothing": () => undefined,
  "returns a promise of nothing": () => Promise.resolve(undefined),
  "returns JSON instead of a Response": () => Promise.resolve({ ok: true }),
  "returns a Response whose body has been read": async () => {
    const response = Response.json(PAGE);
    await response.text();
    return response;
  },
};
for (const [what, faulty] of Object.entries(faultyFetches)) {
  Deno.test(`fetch that ${what} causes an ApiConnectionError, and is not retried`, async () => {
    let calls = 0;
    const client = clientOf(() => {
      calls++;
      return faulty();
    });
    const error = await assertRejects(() => firstValueFrom(client.listTrainingRuns$()));
    assertInstanceOf(error, ApiConnectionError);
    assertMatch(
      error.message,
      /^The fetch function failed: expected an unread Response, got /,
    );
    assertInstanceOf(error.cause, Error);
    assertEquals([error.obstacle, calls], ["fetch", 1]);
  });
}

Deno.test("fetch may return a Response of another realm or library", async () => {
  const { status, headers, body } = Response.json(PAGE);
  const foreign: unknown = { ok: true, status, headers, body, type: "basic" };
  const client = clientOf(() => Promise.resolve(foreign));
  assertEquals((await firstValueFrom(client.listTrainingRuns$())).trainingRuns, []);
});

Deno.test("fetch may return a Response without a body stream, as in React Native", async () => {
  const foreign: unknown = {
    ok: true,
    status: 200,
    headers: new Headers(),
    text: () => Promise.resolve(JSON.stringify(PAGE)),
  };
  const client = clientOf(() => Promise.resolve(foreign));
  assertEquals((await firstValueFrom(client.listTrainingRuns$())).trainingRuns, []);
});

Deno.test("ApiConnectionError names the code of an AggregateError without a message", async () => {
  const cause = Object.assign(new AggregateError([], ""), { code: "ECONNREFUSED" });
  const { fetch } = scriptedFetch(new TypeError("fetch failed", { cause }));
  const client = new RestClient({ apiKey: "k", fetch, retry: false });
  await assertRejects(
    () => firstValueFrom(client.listTrainingRuns$()),
    ApiConnectionError,
    "The connection failed: ECONNREFUSED (",
  );
});

Deno.test("x-should-retry determines whether a status is retried", async () => {
  const response = (status: number, shouldRetry: string) =>
    new Response(null, { status, headers: { "x-should-retry": shouldRetry } });
  const final = scriptedFetch(response(503, "false"));
  const client = new RestClient({ apiKey: "k", fetch: final.fetch, retry: RETRY_WITHOUT_DELAY });
  const error = await assertRejects(() => firstValueFrom(client.listTrainingRuns$()));
  assertInstanceOf(error, InternalServerError);
  assertEquals([error.shouldRetry, final.requests.length], [false, 1]);
  const passing = scriptedFetch(response(422, "true"), response(501, "true"), Response.json(PAGE));
  await firstValueFrom(
    new RestClient({ apiKey: "k", fetch: passing.fetch, retry: RETRY_WITHOUT_DELAY })
      .listTrainingRuns$(),
  );
  assertEquals(passing.requests.length, 3);
});

Deno.test("x-should-retry: false ends the wait for an archive that is being built", async () => {
  const headers = { "x-should-retry": "false" };
  const { fetch, requests } = scriptedFetch(new Response(null, { status: 503, headers }));
  const client = new RestClient({ apiKey: "k", fetch, retry: RETRY_WITHOUT_DELAY });
  await assertRejects(
    () => firstValueFrom(client.downloadCheckpointArchive$("r", "c")),
    InternalServerError,
  );
  assertEquals(requests.length, 1);
});

Deno.test("retry-after-ms takes precedence over Retry-After", async () => {
  using time = new FakeTime();
  const headers = { "retry-after-ms": "250.5", "Retry-After": "7" };
  const { fetch, requests } = scriptedFetch(
    new Response(null, { status: 429, headers }),
    Response.json(PAGE),
  );
  const page = firstValueFrom(new RestClient({ apiKey: "k", fetch }).listTrainingRuns$());
  await time.tickAsync(0);
  await time.runMicrotasks();
  await time.tickAsync(250);
  await time.runMicrotasks();
  assertEquals(requests.length, 1);
  await time.tickAsync(1);
  await page;
  assertEquals(requests.length, 2);
});

const XML = "<?xml version='1.0'?>\n<Error><Code>CODE</Code><Message>No</Message></Error>";
for (
  const [what, status, code] of [
    ["401", 401, ""],
    ["403", 403, ""],
    ["400 ExpiredToken", 400, "ExpiredToken"],
    ["400 AccessDenied", 400, "AccessDenied"],
  ] as const
) {
  for (const origin of ["https://s.example", "https://www.hpc-ai.com"]) {
    Deno.test(`downloadCheckpointArchive$ requests a new URL after ${what} of a signed URL at ${origin}`, async () => {
      const expired = () => new Response(code && XML.replace("CODE", code), { status });
      const { fetch, requests } = scriptedFetch(
        redirect(`${origin}/a?sig=1`),
        expired(),
        Response.json({ url: `${origin}/a?sig=2` }),
        expired(),
        redirect(`${origin}/a?sig=3`),
        new Response("no archive", { headers: { "Content-Type": "text/html" } }),
      );
      const client = new RestClient({ apiKey: "sk-secret", fetch, retry: RETRY_WITHOUT_DELAY });
      // The last response is not an archive, which ends the operation after all hops.
      await assertRejects(
        () => firstValueFrom(client.downloadCheckpointArchive$("r", "c")),
        ApiResponseValidationError,
      );
      assertEquals(
        requests.map(({ url }) => new URL(url).pathname.split("/").at(-1)),
        ["archive", "a", "archive", "a", "archive", "a"],
      );
    });
  }
}

Deno.test("downloadCheckpointArchive$ requests a new URL three times if each is rejected", async () => {
  const results = Array.from(
    { length: 8 },
    (_, i) =>
      i % 2 === 0
        ? redirect("https://s.example/a?sig=1")
        : new Response(XML.replace("CODE", "AccessDenied"), { status: 403 }),
  );
  const { fetch, requests } = scriptedFetch(...results);
  const client = new RestClient({ apiKey: "sk-secret", fetch, retry: RETRY_WITHOUT_DELAY });
  const error = await assertRejects(() =>
    firstValueFrom(client.downloadCheckpointArchive$("r", "c"))
  );
  assertInstanceOf(error, PermissionDeniedError);
  assertEquals([error.code, error.isRedirected, requests.length], ["AccessDenied", true, 8]);
});

Deno.test("downloadCheckpointArchive$ does not retry a 400 of a storage without a code of expiry", async () => {
  const body = XML.replace("CODE", "InvalidArgument");
  const { fetch, requests } = scriptedFetch(
    redirect("https://s.example/a?sig=1"),
    new Response(body, { status: 400 }),
  );
  const client = new RestClient({ apiKey: "sk-secret", fetch, retry: RETRY_WITHOUT_DELAY });
  const error = await assertRejects(() =>
    firstValueFrom(client.downloadCheckpointArchive$("r", "c"))
  );
  assertInstanceOf(error, BadRequestError);
  assertEquals([error.code, requests.length], ["InvalidArgument", 2]);
});

Deno.test("listTrainingRuns$ fails with an AuthenticationError for a 401 of the API, even where a header repeats the API's host", async () => {
  const { fetch, requests } = scriptedFetch(Response.json({ message: "no" }, { status: 401 }));
  const headers = { "X-Forwarded-Host": "www.hpc-ai.com" };
  const client = new RestClient({ apiKey: "wrong", headers, fetch });
  const error = await assertRejects(() => firstValueFrom(client.listTrainingRuns$()));
  assertInstanceOf(error, AuthenticationError);
  assertEquals([error.isRedirected, requests.length], [false, 1]);
});

Deno.test("baseUrl may have a path, to which the paths of requests are appended", async () => {
  for (const baseUrl of ["https://h.example/a/b", "https://h.example/a/b/"]) {
    const { fetch, requests } = scriptedFetch(Response.json(PAGE));
    const client = new RestClient({ apiKey: "k", baseUrl, fetch });
    await firstValueFrom(client.listTrainingRuns$({ limit: 5, offset: 10 }));
    assertEquals(
      requests[0]?.url,
      "https://h.example/a/b/api/v1/training_runs?limit=5&offset=10",
    );
  }
});

Deno.test("timeoutMs without a response ends in an ApiTimeoutError, and aborts the request", async () => {
  using time = new FakeTime();
  const { fetch, requests } = scriptedFetch(null);
  const client = new RestClient({ apiKey: "k", fetch, timeoutMs: 1000, retry: false });
  const failed = assertRejects(() => firstValueFrom(client.listTrainingRuns$()));
  await time.tickAsync(999);
  await time.runMicrotasks();
  assertEquals(requests[0]?.signal?.aborted, false);
  await time.tickAsync(1);
  const error = await failed;
  assertInstanceOf(error, ApiTimeoutError);
  assertStringIncludes(error.message, "The request timed out after 1000 ms (GET https://");
  assertEquals(requests[0]?.signal?.aborted, true);
});

Deno.test("timeoutMs covers a JSON body that never ends, and restarts with each attempt", async () => {
  using time = new FakeTime();
  const endless = new Response(
    new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array([123])) }),
  );
  const { fetch, requests } = scriptedFetch(endless, Response.json(PAGE));
  const client = new RestClient({
    apiKey: "k",
    fetch,
    timeoutMs: 1000,
    retry: RETRY_WITHOUT_DELAY,
  });
  const page = firstValueFrom(client.listTrainingRuns$());
  await time.tickAsync(1000);
  await time.tickAsync(1);
  assertEquals((await page).trainingRuns, []);
  assertEquals(requests.length, 2);
});

Deno.test("listTrainingRuns$ retries a connection that fails, then fails with an ApiConnectionError", async () => {
  const { fetch, requests } = scriptedFetch(...Array(3).fill(new TypeError("refused")));
  const client = new RestClient({
    apiKey: "k",
    fetch,
    retry: { ...RETRY_WITHOUT_DELAY, maxRetries: 2 },
  });
  const error = await assertRejects(() => firstValueFrom(client.listTrainingRuns$()));
  assertInstanceOf(error, ApiConnectionError);
  assertMatch(
    error.message,
    /^The connection failed: refused \(GET https:.*training_runs\)\. Check /,
  );
  assertEquals(requests.length, 3);
});

Deno.test("listTrainingRuns$ does not retry a lasting error status", async () => {
  const { fetch, requests } = scriptedFetch(Response.json({ message: "no" }, { status: 401 }));
  const client = new RestClient({ apiKey: "k", fetch });
  const error = await assertRejects(() => firstValueFrom(client.listTrainingRuns$()));
  assertInstanceOf(error, AuthenticationError);
  assertEquals(requests.length, 1);
});

Deno.test("listTrainingRuns$ waits exactly as long as Retry-After", async () => {
  using time = new FakeTime();
  const busy = new Response(null, { status: 429, headers: { "Retry-After": "7" } });
  const { fetch, requests } = scriptedFetch(busy, Response.json(PAGE));
  const client = new RestClient({ apiKey: "k", fetch });
  const page = firstValueFrom(client.listTrainingRuns$());
  await time.tickAsync(0);
  await time.runMicrotasks();
  await time.tickAsync(6999);
  await time.runMicrotasks();
  assertEquals(requests.length, 1);
  await time.tickAsync(1);
  await page;
  assertEquals(requests.length, 2);
});

Deno.test("listTrainingRuns$ fails with retryAfterMs if Retry-After exceeds maxRetryAfterMs", async () => {
  const busy = new Response(null, { status: 429, headers: { "Retry-After": "3600" } });
  const { fetch } = scriptedFetch(busy);
  const client = new RestClient({ apiKey: "k", fetch });
  const error = await assertRejects(() => firstValueFrom(client.listTrainingRuns$()));
  assertInstanceOf(error, RateLimitError);
  assertEquals(error.retryAfterMs, 3_600_000);
});

for (
  const [what, body, path] of [
    ["is empty", "", ""],
    ["is not JSON", "<html>hello</html>", ""],
    ["is truncated JSON", '{"training_runs": [', ""],
    ["is null", "null", ""],
    ["lacks a field", '{"training_runs":[]}', "cursor"],
    ["has a wrong type deep inside", wrongRun(), "training_runs[1].is_lora"],
  ] as const
) {
  Deno.test(`listTrainingRuns$ fails at ${path || "the root"} of a response that ${what}, without a retry`, async () => {
    const { fetch, requests } = scriptedFetch(new Response(body));
    const client = new RestClient({ apiKey: "k", fetch });
    const error = await assertRejects(() => firstValueFrom(client.listTrainingRuns$()));
    assertInstanceOf(error, ApiResponseValidationError);
    assertEquals(error.path, path);
    assertEquals(error.excerpt.length > 0, body !== "");
    assertEquals(error.excerpt.length < 300, true);
    assertEquals(requests.length, 1);
  });
}

function wrongRun(): string {
  const run = {
    training_run_id: "r",
    base_model: "b",
    model_owner: "o",
    is_lora: true,
    last_request_time: "2026-01-07T10:19:18Z",
  };
  return JSON.stringify({ ...PAGE, training_runs: [run, { ...run, is_lora: "x".repeat(500) }] });
}

Deno.test("unsubscribe aborts the request", () => {
  const { fetch, requests } = scriptedFetch(null);
  const client = new RestClient({ apiKey: "k", fetch });
  const subscription = client.listTrainingRuns$().subscribe();
  return Promise.resolve().then(() => {
    subscription.unsubscribe();
    assertEquals(requests[0]?.signal?.aborted, true);
  });
});

Deno.test("listTrainingRuns$ sends a request for each subscription, and none before", async () => {
  const { fetch, requests } = scriptedFetch(Response.json(PAGE), Response.json(PAGE));
  const page$ = new RestClient({ apiKey: "k", fetch }).listTrainingRuns$();
  assertEquals(requests.length, 0);
  await firstValueFrom(page$);
  await firstValueFrom(page$);
  assertEquals(requests.length, 2);
});

Deno.test("fetch is called without a receiver, as browsers require", async () => {
  function fetch(this: unknown): Promise<Response> {
    if (this !== undefined) return Promise.reject(new TypeError("Illegal invocation"));
    return Promise.resolve(Response.json(PAGE));
  }
  await firstValueFrom(new RestClient({ apiKey: "k", fetch, retry: false }).listTrainingRuns$());
});

Deno.test("fetch that ignores the signal returns a late response, which is cancelled", async () => {
  let isCancelled = false;
  const late = Promise.withResolvers<Response>();
  const client = new RestClient({ apiKey: "k", fetch: () => late.promise });
  const events: string[] = [];
  client.events$.subscribe(({ type }) => events.push(type));
  const subscription = client.listTrainingRuns$().subscribe();
  await Promise.resolve();
  subscription.unsubscribe();
  late.resolve(
    new Response(
      new ReadableStream({
        cancel: () => {
          isCancelled = true;
        },
      }),
    ),
  );
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  assertEquals(isCancelled, true);
  assertEquals(events, ["request", "cancel"]);
});

Deno.test("deleteCheckpoint$ fails at a redirect to another origin", async () => {
  for (const status of [301, 302, 307, 308]) {
    const { fetch, requests } = scriptedFetch(redirect("https://login.example/", status));
    const client = new RestClient({ apiKey: "k", fetch });
    const error = await assertRejects(() => firstValueFrom(client.deleteCheckpoint$("r", "c")));
    assertInstanceOf(error, ApiRedirectError);
    assertEquals(requests.length, 1);
  }
});

Deno.test("downloadCheckpointArchive$ counts the URL of a JSON response as a redirect", async () => {
  const hops = Array.from({ length: 5 }, () => redirect("?again"));
  const { fetch } = scriptedFetch(Response.json({ url: "https://s.example/" }), ...hops);
  const client = new RestClient({ apiKey: "k", fetch });
  const error = await assertRejects(() =>
    firstValueFrom(client.downloadCheckpointArchive$("r", "c"))
  );
  assertInstanceOf(error, ApiRedirectError);
});

Deno.test("ApiConnectionError has the message of the innermost cause", async () => {
  const cause = Object.assign(new Error(""), { name: "ECONNREFUSED" });
  const { fetch } = scriptedFetch(new TypeError("fetch failed", { cause }));
  const client = new RestClient({ apiKey: "k", fetch, retry: false });
  const error = await assertRejects(() => firstValueFrom(client.listTrainingRuns$()));
  assertInstanceOf(error, ApiConnectionError);
  assertStringIncludes(error.message, "The connection failed: ECONNREFUSED");
});

Deno.test("fetch may reject with a value that is not an Error", async () => {
  const client = new RestClient({
    apiKey: "k",
    fetch: () => Promise.reject("offline"),
    retry: false,
  });
  await assertRejects(
    () => firstValueFrom(client.listTrainingRuns$()),
    ApiConnectionError,
    "The connection failed: offline",
  );
});

Deno.test("deleteCheckpoint$ succeeds although the body of the response fails", async () => {
  const body = new ReadableStream({ cancel: () => Promise.reject(new Error("broken")) });
  const { fetch } = scriptedFetch(new Response(body));
  await firstValueFrom(new RestClient({ apiKey: "k", fetch }).deleteCheckpoint$("r", "c"));
});

Deno.test("downloadCheckpointArchive$ fails with advice at a redirect that a browser hides", async () => {
  const hidden = new Response(null);
  Object.defineProperty(hidden, "type", { value: "opaqueredirect" });
  Object.defineProperty(hidden, "status", { value: 0 });
  const { fetch, requests } = scriptedFetch(hidden);
  const client = new RestClient({ apiKey: "k", fetch });
  const archive$ = client.downloadCheckpointArchive$("r", "c");
  const error = await assertRejects(() => firstValueFrom(archive$));
  assertInstanceOf(error, ApiRedirectError);
  assertMatch(error.message, /proxy on the page's own origin.*\{"url": "…"\}/);
  assertEquals(requests.length, 1);
});

for (
  const [what, location, problem] of [
    ["to http:", "http://s.example/a?sig=1", /falls from https: to http:/],
    ["to loopback over http:", "http://127.0.0.1/a?sig=1", /falls from https: to http:/],
    ["to another scheme", "ftp://s.example/a?sig=1", /neither https: nor http:/],
    ["with credentials", "https://u:sig=1@s.example/a", /contains credentials/],
    ["to an invalid URL", "https://?sig=1", /no URL/],
  ] as const
) {
  Deno.test(`downloadCheckpointArchive$ does not follow a redirect ${what}, nor report its query`, async () => {
    for (const response of [redirect(location), Response.json({ url: location })]) {
      const { fetch, requests } = scriptedFetch(response);
      const client = new RestClient({ apiKey: "k", fetch });
      const archive$ = client.downloadCheckpointArchive$("r", "c");
      const error = await assertRejects(() => firstValueFrom(archive$));
      assertInstanceOf(error, ApiRedirectError);
      assertMatch(error.message, problem);
      assertNotMatch(Deno.inspect(error), /sig=1/);
      assertEquals(requests.length, 1);
    }
  });
}

Deno.test("listTrainingRuns$ follows five redirects, and fails at a sixth", async () => {
  const hops = (count: number) => Array.from({ length: count }, () => redirect("?again"));
  const five = scriptedFetch(...hops(5), Response.json(PAGE));
  await firstValueFrom(
    new RestClient({ apiKey: "k", fetch: five.fetch }).listTrainingRuns$(),
  );
  const six = scriptedFetch(...hops(6));
  const error = await assertRejects(() =>
    firstValueFrom(new RestClient({ apiKey: "k", fetch: six.fetch }).listTrainingRuns$())
  );
  assertInstanceOf(error, ApiRedirectError);
  assertStringIncludes(error.message, "more than 5 times");
});

Deno.test("X-API-Key is sent to the API's origin only, and not after a hop elsewhere", async () => {
  const { fetch, requests } = scriptedFetch(
    redirect("/moved"),
    redirect("https://s.example/away"),
    redirect("https://www.hpc-ai.com/back"),
    Response.json(PAGE),
  );
  const client = new RestClient({ apiKey: "k", fetch, headers: { "X-Team": "a" } });
  await firstValueFrom(client.listTrainingRuns$());
  assertEquals(
    requests.map(({ url, headers }) => [
      new URL(url).pathname,
      headers.get("X-API-Key"),
      headers.get("X-Team"),
    ]),
    [
      ["/finetunesdk/api/v1/training_runs", "k", "a"],
      ["/moved", "k", "a"],
      ["/away", null, null],
      ["/back", null, null],
    ],
  );
});

Deno.test("events$ numbers calls, and contains no secret", async () => {
  const { fetch } = scriptedFetch(
    Response.json({ message: "sk-secret at https://s.example/?sig=1" }, { status: 500 }),
    Response.json(PAGE),
  );
  const client = new RestClient({ apiKey: "sk-secret", fetch, retry: RETRY_WITHOUT_DELAY });
  const events: ClientEvent[] = [];
  client.events$.subscribe((event) => events.push(event));
  await firstValueFrom(client.listTrainingRuns$({ limit: 7 }));
  assertEquals(events.map(({ type, attempt, callId }) => [type, attempt, callId]), [
    ["request", 1, 1],
    ["response", 1, 1],
    ["retry", 1, 1],
    ["request", 2, 1],
    ["response", 2, 1],
  ]);
  assertEquals(events[0]?.url, "https://www.hpc-ai.com/finetunesdk/api/v1/training_runs");
  const retry = events[2];
  assertInstanceOf(retry?.type === "retry" && retry.error, InternalServerError);
  assertNotMatch(Deno.inspect(events, { depth: 9 }), /sk-secret|sig=1|limit=7/);
});

Deno.test("events$ ends a call that fails with `error`, and a cancelled one with `cancel`", async () => {
  const { fetch } = scriptedFetch(new Response(null, { status: 404 }), null);
  const client = new RestClient({ apiKey: "k", fetch });
  const events: string[] = [];
  client.events$.subscribe(({ type, callId }) => events.push(`${type} ${callId}`));
  await assertRejects(() => firstValueFrom(client.getTrainingRun$("r")));
  client.getTrainingRun$("r").subscribe().unsubscribe();
  assertEquals(events, ["request 1", "response 1", "error 1", "request 2", "cancel 2"]);
});

Deno.test("events$ reports nothing of a call with invalid arguments", async () => {
  const { fetch } = scriptedFetch();
  const client = new RestClient({ apiKey: "k", fetch });
  const events: ClientEvent[] = [];
  client.events$.subscribe((event) => events.push(event));
  await assertRejects(() => firstValueFrom(client.getTrainingRun$("")));
  assertEquals(events, []);
});
