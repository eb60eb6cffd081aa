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

/** Answers each request with the next of these: a response, an error to throw, or never (`null`). */
function answering(...answers: (Response | Error | null)[]) {
  const requests: { url: string; headers: Headers; signal: AbortSignal | undefined }[] = [];
  const fetch = (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const signal = init?.signal ?? undefined;
    requests.push({ url: String(input), headers: new Headers(init?.headers), signal });
    const answer = answers.shift();
    if (answer === undefined) return Promise.reject(new Error("one request too many"));
    if (answer instanceof Response) return Promise.resolve(answer);
    if (answer instanceof Error) return Promise.reject(answer);
    return new Promise((_, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason));
    });
  };
  return { fetch, requests };
}

function redirect(location: string, status = 302): Response {
  return new Response(null, { status, headers: { location } });
}

const RETRY_AT_ONCE = { initialDelayMs: 0, maxDelayMs: 0 };

Deno.test("a request has the key, the caller's headers and what it accepts", async () => {
  const { fetch, requests } = answering(Response.json(PAGE));
  const client = new RestClient({ apiKey: "sk-secret", fetch, headers: { "X-Team": "a" } });
  await firstValueFrom(client.listTrainingRuns$());
  assertEquals(requests[0]?.headers.get("X-API-Key"), "sk-secret");
  assertEquals(requests[0]?.headers.get("X-Team"), "a");
  assertEquals(requests[0]?.headers.get("Accept"), "application/json");
});

Deno.test("a key from a function is asked for at each attempt", async () => {
  const { fetch, requests } = answering(new Response(null, { status: 503 }), Response.json(PAGE));
  let calls = 0;
  const apiKey = () => Promise.resolve(`key-${++calls}`);
  const client = new RestClient({ apiKey, fetch, retry: RETRY_AT_ONCE });
  await firstValueFrom(client.listTrainingRuns$());
  assertEquals(requests.map(({ headers }) => headers.get("X-API-Key")), ["key-1", "key-2"]);
});

Deno.test("a key from a function that is not usable is refused before the request", async () => {
  const { fetch, requests } = answering();
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
  Deno.test(`a function for the key that ${how} ends the operation with its error as the cause`, async () => {
    const { fetch, requests } = answering();
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

Deno.test("a function that gives no string as the key is refused before the request", async () => {
  const { fetch, requests } = answering();
  // As from JavaScript, which no type stops.
  const client = new RestClient(Object.assign({ fetch }, { apiKey: () => JSON.parse("42") }));
  const error = await assertRejects(() => firstValueFrom(client.listTrainingRuns$()));
  assertInstanceOf(error, InvalidArgumentError);
  assertEquals([error.argument, requests], ["apiKey", []]);
});

/** A client of a function that need not be a `fetch`, as from JavaScript, which no type stops. */
function clientOf(fetch: () => unknown): RestClient {
  return new RestClient({ apiKey: "sk-secret", fetch: fetch as typeof globalThis.fetch });
}

Deno.test("what a fetch throws is retried like what it rejects with, and is the cause", async () => {
  let calls = 0;
  const fetch = () => {
    calls++;
    throw new RangeError("boom");
  };
  const retry = { ...RETRY_AT_ONCE, maxRetries: 2 };
  const client = new RestClient({ apiKey: "sk-secret", fetch, retry });
  const error = await assertRejects(() => firstValueFrom(client.listTrainingRuns$()));
  assertInstanceOf(error, ApiConnectionError);
  assertMatch(error.message, /^The connection failed: boom /);
  assertInstanceOf(error.cause, Error);
  assertEquals([error.cause.name, error.cause.message, calls], ["RangeError", "boom", 3]);
});

const faultyFetches: Record<string, () => unknown> = {
  "gives nothing": () => undefined,
  "gives a promise of nothing": () => Promise.resolve(undefined),
  "gives JSON instead of a Response": () => Promise.resolve({ ok: true }),
  "gives a Response whose body has been read": async () => {
    const response = Response.json(PAGE);
    await response.text();
    return response;
  },
};
for (const [what, faulty] of Object.entries(faultyFetches)) {
  Deno.test(`a fetch that ${what} is an ApiConnectionError with a cause, and is not retried`, async () => {
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

Deno.test("a Response of another realm or library is as good as one of this", async () => {
  const { status, headers, body } = Response.json(PAGE);
  const foreign: unknown = { ok: true, status, headers, body, type: "basic" };
  const client = clientOf(() => Promise.resolve(foreign));
  assertEquals((await firstValueFrom(client.listTrainingRuns$())).trainingRuns, []);
});

Deno.test("a Response that has its text alone, as in React Native, can be read", async () => {
  const foreign: unknown = {
    ok: true,
    status: 200,
    headers: new Headers(),
    text: () => Promise.resolve(JSON.stringify(PAGE)),
  };
  const client = clientOf(() => Promise.resolve(foreign));
  assertEquals((await firstValueFrom(client.listTrainingRuns$())).trainingRuns, []);
});

Deno.test("an address list that refuses, Node's AggregateError, is told by its code", async () => {
  const cause = Object.assign(new AggregateError([], ""), { code: "ECONNREFUSED" });
  const { fetch } = answering(new TypeError("fetch failed", { cause }));
  const client = new RestClient({ apiKey: "k", fetch, retry: false });
  await assertRejects(
    () => firstValueFrom(client.listTrainingRuns$()),
    ApiConnectionError,
    "The connection failed: ECONNREFUSED (",
  );
});

Deno.test("a status whose x-should-retry is false is final, one whose is true is retried", async () => {
  const answer = (status: number, shouldRetry: string) =>
    new Response(null, { status, headers: { "x-should-retry": shouldRetry } });
  const final = answering(answer(503, "false"));
  const client = new RestClient({ apiKey: "k", fetch: final.fetch, retry: RETRY_AT_ONCE });
  const error = await assertRejects(() => firstValueFrom(client.listTrainingRuns$()));
  assertInstanceOf(error, InternalServerError);
  assertEquals([error.shouldRetry, final.requests.length], [false, 1]);
  const passing = answering(answer(422, "true"), answer(501, "true"), Response.json(PAGE));
  await firstValueFrom(
    new RestClient({ apiKey: "k", fetch: passing.fetch, retry: RETRY_AT_ONCE }).listTrainingRuns$(),
  );
  assertEquals(passing.requests.length, 3);
});

Deno.test("an archive that is being built is not waited for where x-should-retry is false", async () => {
  const headers = { "x-should-retry": "false" };
  const { fetch, requests } = answering(new Response(null, { status: 503, headers }));
  const client = new RestClient({ apiKey: "k", fetch, retry: RETRY_AT_ONCE });
  await assertRejects(
    () => firstValueFrom(client.downloadCheckpointArchive$("r", "c")),
    InternalServerError,
  );
  assertEquals(requests.length, 1);
});

Deno.test("retry-after-ms is waited for, and comes before Retry-After", async () => {
  using time = new FakeTime();
  const headers = { "retry-after-ms": "250.5", "Retry-After": "7" };
  const { fetch, requests } = answering(
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
    Deno.test(`a signed URL at ${origin} that answers ${what} is renewed at the API`, async () => {
      const expired = () => new Response(code && XML.replace("CODE", code), { status });
      const { fetch, requests } = answering(
        redirect(`${origin}/a?sig=1`),
        expired(),
        Response.json({ url: `${origin}/a?sig=2` }),
        expired(),
        redirect(`${origin}/a?sig=3`),
        new Response("no archive", { headers: { "Content-Type": "text/html" } }),
      );
      const client = new RestClient({ apiKey: "sk-secret", fetch, retry: RETRY_AT_ONCE });
      // All the hops are in the right order; that the last brings no archive ends it.
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

Deno.test("a signed URL that is refused again and again is renewed three times", async () => {
  const answers = Array.from(
    { length: 8 },
    (_, i) =>
      i % 2 === 0
        ? redirect("https://s.example/a?sig=1")
        : new Response(XML.replace("CODE", "AccessDenied"), { status: 403 }),
  );
  const { fetch, requests } = answering(...answers);
  const client = new RestClient({ apiKey: "sk-secret", fetch, retry: RETRY_AT_ONCE });
  const error = await assertRejects(() =>
    firstValueFrom(client.downloadCheckpointArchive$("r", "c"))
  );
  assertInstanceOf(error, PermissionDeniedError);
  assertEquals([error.code, error.isRedirected, requests.length], ["AccessDenied", true, 8]);
});

Deno.test("a 400 of a storage that speaks of no expiry is not retried", async () => {
  const body = XML.replace("CODE", "InvalidArgument");
  const { fetch, requests } = answering(
    redirect("https://s.example/a?sig=1"),
    new Response(body, { status: 400 }),
  );
  const client = new RestClient({ apiKey: "sk-secret", fetch, retry: RETRY_AT_ONCE });
  const error = await assertRejects(() =>
    firstValueFrom(client.downloadCheckpointArchive$("r", "c"))
  );
  assertInstanceOf(error, BadRequestError);
  assertEquals([error.code, requests.length], ["InvalidArgument", 2]);
});

Deno.test("a refused key is an AuthenticationError, also where a header repeats the API's host", async () => {
  const { fetch, requests } = answering(Response.json({ message: "no" }, { status: 401 }));
  const headers = { "X-Forwarded-Host": "www.hpc-ai.com" };
  const client = new RestClient({ apiKey: "wrong", headers, fetch });
  const error = await assertRejects(() => firstValueFrom(client.listTrainingRuns$()));
  assertInstanceOf(error, AuthenticationError);
  assertEquals([error.isRedirected, requests.length], [false, 1]);
});

Deno.test("the path of a request is appended to the base URL's own", async () => {
  for (const baseUrl of ["https://h.example/a/b", "https://h.example/a/b/"]) {
    const { fetch, requests } = answering(Response.json(PAGE));
    const client = new RestClient({ apiKey: "k", baseUrl, fetch });
    await firstValueFrom(client.listTrainingRuns$({ limit: 5, offset: 10 }));
    assertEquals(
      requests[0]?.url,
      "https://h.example/a/b/api/v1/training_runs?limit=5&offset=10",
    );
  }
});

Deno.test("no answer within timeoutMs is an ApiTimeoutError, and the request is aborted", async () => {
  using time = new FakeTime();
  const { fetch, requests } = answering(null);
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

Deno.test("the time limit covers a JSON body that never ends, and begins anew with each attempt", async () => {
  using time = new FakeTime();
  const endless = new Response(
    new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array([123])) }),
  );
  const { fetch, requests } = answering(endless, Response.json(PAGE));
  const client = new RestClient({ apiKey: "k", fetch, timeoutMs: 1000, retry: RETRY_AT_ONCE });
  const page = firstValueFrom(client.listTrainingRuns$());
  await time.tickAsync(1000);
  await time.tickAsync(1);
  assertEquals((await page).trainingRuns, []);
  assertEquals(requests.length, 2);
});

Deno.test("a connection that fails is tried again, and then is an ApiConnectionError", async () => {
  const { fetch, requests } = answering(...Array(3).fill(new TypeError("refused")));
  const client = new RestClient({
    apiKey: "k",
    fetch,
    retry: { ...RETRY_AT_ONCE, maxRetries: 2 },
  });
  const error = await assertRejects(() => firstValueFrom(client.listTrainingRuns$()));
  assertInstanceOf(error, ApiConnectionError);
  assertMatch(
    error.message,
    /^The connection failed: refused \(GET https:.*training_runs\)\. Check /,
  );
  assertEquals(requests.length, 3);
});

Deno.test("an error status that lasts is not tried again", async () => {
  const { fetch, requests } = answering(Response.json({ message: "no" }, { status: 401 }));
  const client = new RestClient({ apiKey: "k", fetch });
  const error = await assertRejects(() => firstValueFrom(client.listTrainingRuns$()));
  assertInstanceOf(error, AuthenticationError);
  assertEquals(requests.length, 1);
});

Deno.test("a Retry-After is waited for", async () => {
  using time = new FakeTime();
  const busy = new Response(null, { status: 429, headers: { "Retry-After": "7" } });
  const { fetch, requests } = answering(busy, Response.json(PAGE));
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

Deno.test("a Retry-After past the limit surfaces with the wait that was asked for", async () => {
  const busy = new Response(null, { status: 429, headers: { "Retry-After": "3600" } });
  const { fetch } = answering(busy);
  const client = new RestClient({ apiKey: "k", fetch });
  const error = await assertRejects(() => firstValueFrom(client.listTrainingRuns$()));
  assertInstanceOf(error, RateLimitError);
  assertEquals(error.retryAfterMs, 3_600_000);
});

for (
  const [what, body, path] of [
    ["is empty", "", ""],
    ["is not JSON", "<html>hello</html>", ""],
    ["breaks off", '{"training_runs": [', ""],
    ["is null", "null", ""],
    ["lacks a field", '{"training_runs":[]}', "cursor"],
    ["has a wrong type deep inside", wrongRun(), "training_runs[1].is_lora"],
  ] as const
) {
  Deno.test(`an answer that ${what} is refused at ${path || "its root"}, and is not asked for again`, async () => {
    const { fetch, requests } = answering(new Response(body));
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

Deno.test("unsubscribing aborts the request", () => {
  const { fetch, requests } = answering(null);
  const client = new RestClient({ apiKey: "k", fetch });
  const subscription = client.listTrainingRuns$().subscribe();
  return Promise.resolve().then(() => {
    subscription.unsubscribe();
    assertEquals(requests[0]?.signal?.aborted, true);
  });
});

Deno.test("each subscription is a fresh run, and nothing is sent before it", async () => {
  const { fetch, requests } = answering(Response.json(PAGE), Response.json(PAGE));
  const page$ = new RestClient({ apiKey: "k", fetch }).listTrainingRuns$();
  assertEquals(requests.length, 0);
  await firstValueFrom(page$);
  await firstValueFrom(page$);
  assertEquals(requests.length, 2);
});

Deno.test("fetch is called without a receiver, as a browser's has to be", async () => {
  function fetch(this: unknown): Promise<Response> {
    if (this !== undefined) return Promise.reject(new TypeError("Illegal invocation"));
    return Promise.resolve(Response.json(PAGE));
  }
  await firstValueFrom(new RestClient({ apiKey: "k", fetch, retry: false }).listTrainingRuns$());
});

Deno.test("what a fetch that does not heed the signal brings too late is given up", async () => {
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

Deno.test("a DELETE that is redirected to another origin has not been done", async () => {
  for (const status of [301, 302, 307, 308]) {
    const { fetch, requests } = answering(redirect("https://login.example/", status));
    const client = new RestClient({ apiKey: "k", fetch });
    const error = await assertRejects(() => firstValueFrom(client.deleteCheckpoint$("r", "c")));
    assertInstanceOf(error, ApiRedirectError);
    assertEquals(requests.length, 1);
  }
});

Deno.test("a URL as JSON counts as a redirect", async () => {
  const hops = Array.from({ length: 5 }, () => redirect("?again"));
  const { fetch } = answering(Response.json({ url: "https://s.example/" }), ...hops);
  const client = new RestClient({ apiKey: "k", fetch });
  const error = await assertRejects(() =>
    firstValueFrom(client.downloadCheckpointArchive$("r", "c"))
  );
  assertInstanceOf(error, ApiRedirectError);
});

Deno.test("the innermost cause says why a connection failed", async () => {
  const cause = Object.assign(new Error(""), { name: "ECONNREFUSED" });
  const { fetch } = answering(new TypeError("fetch failed", { cause }));
  const client = new RestClient({ apiKey: "k", fetch, retry: false });
  const error = await assertRejects(() => firstValueFrom(client.listTrainingRuns$()));
  assertInstanceOf(error, ApiConnectionError);
  assertStringIncludes(error.message, "The connection failed: ECONNREFUSED");
});

Deno.test("what a fetch throws need not be an Error", async () => {
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

Deno.test("a deletion is done also where the body that comes with it is broken", async () => {
  const body = new ReadableStream({ cancel: () => Promise.reject(new Error("broken")) });
  const { fetch } = answering(new Response(body));
  await firstValueFrom(new RestClient({ apiKey: "k", fetch }).deleteCheckpoint$("r", "c"));
});

Deno.test("a redirect that a browser hides is an error that names the ways out", async () => {
  const hidden = new Response(null);
  Object.defineProperty(hidden, "type", { value: "opaqueredirect" });
  Object.defineProperty(hidden, "status", { value: 0 });
  const { fetch, requests } = answering(hidden);
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
    ["to no URL", "https://?sig=1", /no URL/],
  ] as const
) {
  Deno.test(`a redirect ${what} is not followed, and its query is not shown`, async () => {
    for (const answer of [redirect(location), Response.json({ url: location })]) {
      const { fetch, requests } = answering(answer);
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

Deno.test("five redirects are followed, a sixth is not", async () => {
  const hops = (count: number) => Array.from({ length: count }, () => redirect("?again"));
  const five = answering(...hops(5), Response.json(PAGE));
  await firstValueFrom(
    new RestClient({ apiKey: "k", fetch: five.fetch }).listTrainingRuns$(),
  );
  const six = answering(...hops(6));
  const error = await assertRejects(() =>
    firstValueFrom(new RestClient({ apiKey: "k", fetch: six.fetch }).listTrainingRuns$())
  );
  assertInstanceOf(error, ApiRedirectError);
  assertStringIncludes(error.message, "more than 5 times");
});

Deno.test("the key goes to the API's origin only, and not back to it from elsewhere", async () => {
  const { fetch, requests } = answering(
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

Deno.test("the events of a request share its number, and none holds a secret", async () => {
  const { fetch } = answering(
    Response.json({ message: "sk-secret at https://s.example/?sig=1" }, { status: 500 }),
    Response.json(PAGE),
  );
  const client = new RestClient({ apiKey: "sk-secret", fetch, retry: RETRY_AT_ONCE });
  const events: ClientEvent[] = [];
  client.events$.subscribe((event) => events.push(event));
  await firstValueFrom(client.listTrainingRuns$({ limit: 7 }));
  assertEquals(events.map(({ type, attempt, requestId }) => [type, attempt, requestId]), [
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

Deno.test("a request that fails for good ends with `failure`, one that is given up with `cancel`", async () => {
  const { fetch } = answering(new Response(null, { status: 404 }), null);
  const client = new RestClient({ apiKey: "k", fetch });
  const events: string[] = [];
  client.events$.subscribe(({ type, requestId }) => events.push(`${type} ${requestId}`));
  await assertRejects(() => firstValueFrom(client.getTrainingRun$("r")));
  client.getTrainingRun$("r").subscribe().unsubscribe();
  assertEquals(events, ["request 1", "response 1", "failure 1", "request 2", "cancel 2"]);
});

Deno.test("a request whose arguments are wrong has no events", async () => {
  const { fetch } = answering();
  const client = new RestClient({ apiKey: "k", fetch });
  const events: ClientEvent[] = [];
  client.events$.subscribe((event) => events.push(event));
  await assertRejects(() => firstValueFrom(client.getTrainingRun$("")));
  assertEquals(events, []);
});
