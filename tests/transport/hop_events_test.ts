import {
  ApiConnectionError,
  ApiTimeoutError,
  type ClientEvent,
  type FailureEvent,
  type RequestEvent,
  type ResponseEvent,
  RestClient,
  type RestClientOptions,
} from "@hpcai/rx";
import { assert, assertEquals, assertInstanceOf, assertNotMatch, assertRejects } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { firstValueFrom, lastValueFrom } from "rxjs";

type HopEvent = RequestEvent | ResponseEvent | FailureEvent;

/** The result of `fetch` for one request. */
type Reaction = Response | Error | "silence" | ((init: RequestInit) => Response);

const PAGE = { training_runs: [], cursor: { offset: 0, limit: 20, total_count: 0 } };
const API = "https://api.example";
const ARCHIVE = `${API}/api/v1/training_runs/r/checkpoints/c/archive`;
const NO_WAIT = { initialDelayMs: 0, maxDelayMs: 0 };

const redirect = (location: string) =>
  new Response(null, { status: 302, headers: { Location: location } });
const archive = () => new Response("ab", { headers: { "Content-Length": "2" } });

/** A client whose `fetch` has one reaction for each request, its events, and the requested URLs. */
function observedClient(reactions: readonly Reaction[], options: RestClientOptions = {}) {
  const fetches: string[] = [];
  const events: ClientEvent[] = [];
  const queue = [...reactions];
  const client = new RestClient({
    apiKey: "sk-secret",
    baseUrl: API,
    retry: NO_WAIT,
    fetch: (input, init = {}) => {
      fetches.push(String(input).split("?")[0] ?? "");
      const reaction = queue.shift() ?? new Error("one request too many");
      if (reaction instanceof Error) return Promise.reject(reaction);
      if (reaction instanceof Response) return Promise.resolve(reaction);
      if (typeof reaction === "function") return Promise.resolve(reaction(init));
      return new Promise((_, reject) => {
        init.signal?.addEventListener("abort", () => reject(init.signal?.reason));
      });
    },
    ...options,
  });
  client.events$.subscribe((event) => events.push(event));
  return { client, events, fetches };
}

function isHopEvent(event: ClientEvent): event is HopEvent {
  return "hop" in event;
}

/** Hop events in short: type, attempt, hop, whether on the API's origin, and status or error. */
function toShortForm(events: readonly ClientEvent[]): string[] {
  return events.filter(isHopEvent).map((event) => {
    const outcome = event.type === "response"
      ? ` ${event.status}`
      : event.type === "failure"
      ? ` ${event.error.name}`
      : "";
    const origin = event.isApiOrigin ? "api" : "elsewhere";
    return `${event.type} ${event.attempt}.${event.hop} ${origin}${outcome}`;
  });
}

/** Asserts that each fetch has one `request` event, and that one `response` or `failure` ends it. */
function assertEachHopReported(events: readonly ClientEvent[], fetches: readonly string[]): void {
  const hops = events.filter(isHopEvent);
  const requests = hops.filter(({ type }) => type === "request");
  const ends = hops.filter(({ type }) => type !== "request");
  const idOf = ({ callId, attempt, hop, url }: HopEvent) => `${callId}.${attempt}.${hop} ${url}`;
  assertEquals(requests.map(({ url }) => url), fetches);
  assertEquals(ends.map(idOf).toSorted(), requests.map(idOf).toSorted());
  for (const event of hops) {
    if (event.type !== "request") assert(event.durationMs >= 0);
  }
  assertNotMatch(Deno.inspect(events, { depth: 9 }), /sk-secret|sig=/);
}

Deno.test("events$ reports the hops of a redirect to a storage", async () => {
  const { client, events, fetches } = observedClient([
    redirect("https://s.example/a?sig=1"),
    archive(),
  ]);
  await firstValueFrom(client.downloadCheckpointArchive$("r", "c"));
  assertEquals(fetches, [ARCHIVE, "https://s.example/a"]);
  assertEachHopReported(events, fetches);
  assertEquals(toShortForm(events), [
    "request 1.1 api",
    "response 1.1 api 302",
    "request 1.2 elsewhere",
    "response 1.2 elsewhere 200",
  ]);
});

Deno.test("events$ reports the hop to the URL of a JSON response", async () => {
  const { client, events, fetches } = observedClient([
    Response.json({ url: "https://s.example/a?sig=1" }),
    archive(),
  ]);
  await firstValueFrom(client.downloadCheckpointArchive$("r", "c"));
  assertEquals(fetches, [ARCHIVE, "https://s.example/a"]);
  assertEachHopReported(events, fetches);
  assertEquals(toShortForm(events).at(-1), "response 1.2 elsewhere 200");
});

Deno.test("events$ reports the ranges of a resumed archive, and a repetition without a range", async () => {
  const cut = (bytes: string) =>
    new Response(
      new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(new TextEncoder().encode(bytes));
        },
        pull: (controller) => controller.error(new TypeError("cut")),
      }),
      { headers: { "Content-Length": "4", "ETag": '"1"' } },
    );
  const ranges: (string | null)[] = [];
  const rangeOf = ({ headers }: RequestInit) => {
    ranges.push(new Headers(headers).get("Range"));
    return new Response("no", { status: 206 });
  };
  const { client, events, fetches } = observedClient([
    redirect("https://s.example/a?sig=1"),
    cut("ab"),
    redirect("https://s.example/a?sig=2"),
    rangeOf,
    new Response("abcd", { headers: { "Content-Length": "4", "ETag": '"1"' } }),
  ]);
  const bytes = await firstValueFrom(client.downloadCheckpointArchive$("r", "c"));
  assertEquals(new TextDecoder().decode(bytes), "abcd");
  assertEquals(ranges, ["bytes=2-"]);
  assertEquals(fetches.length, 5);
  assertEachHopReported(events, fetches);
  assertEquals(toShortForm(events).slice(4), [
    "request 1.1 api",
    "response 1.1 api 302",
    "request 1.2 elsewhere",
    "response 1.2 elsewhere 206",
    "request 1.3 elsewhere",
    "response 1.3 elsewhere 200",
  ]);
});

Deno.test("events$ reports a hop back to the API's origin with isApiOrigin: true, although it has no key", async () => {
  const keys: (string | null)[] = [];
  const withKey = (response: Response) => ({ headers }: RequestInit) => {
    keys.push(new Headers(headers).get("X-API-Key"));
    return response;
  };
  const { client, events, fetches } = observedClient([
    withKey(redirect("https://s.example/away")),
    withKey(redirect(`${API}/back`)),
    withKey(Response.json(PAGE)),
  ]);
  await firstValueFrom(client.listTrainingRuns$());
  assertEachHopReported(events, fetches);
  assertEquals(keys, ["sk-secret", null, null]);
  assertEquals(toShortForm(events).at(-1), "response 1.3 api 200");
});

Deno.test("events$ reports a connection that fails as the failure of its hop", async () => {
  const { client, events, fetches } = observedClient([
    redirect("https://s.example/away?sig=1"),
    new TypeError("refused"),
    Response.json(PAGE),
  ]);
  await firstValueFrom(client.listTrainingRuns$());
  assertEachHopReported(events, fetches);
  assertEquals(toShortForm(events), [
    "request 1.1 api",
    "response 1.1 api 302",
    "request 1.2 elsewhere",
    "failure 1.2 elsewhere ApiConnectionError",
    "request 2.1 api",
    "response 2.1 api 200",
  ]);
  assertEquals(events.map(({ type }) => type)[4], "retry");
});

Deno.test("events$ reports a hop that times out as a failure with the ApiTimeoutError", async () => {
  using time = new FakeTime();
  const { client, events, fetches } = observedClient(["silence"], {
    timeoutMs: 1000,
    retry: false,
  });
  const failed = assertRejects(() => firstValueFrom(client.listTrainingRuns$()));
  await time.tickAsync(1000);
  const error = await failed;
  assertInstanceOf(error, ApiTimeoutError);
  assertEachHopReported(events, fetches);
  const failure = events.find(({ type }) => type === "failure");
  assert(failure?.type === "failure");
  assertEquals([failure.error, failure.durationMs], [error, 1000]);
  assertEquals(events.map(({ type }) => type), ["request", "failure", "error"]);
});

Deno.test("ApiTimeoutError in the body of a response has the URL of its hop, which has no failure", async () => {
  using time = new FakeTime();
  const endless = new Response(new ReadableStream(), { headers: { "x-request-id": "req-1" } });
  const { client, events, fetches } = observedClient(
    [redirect("https://s.example/away?sig=1"), endless],
    { timeoutMs: 1000, retry: false },
  );
  const failed = assertRejects(() => firstValueFrom(client.listTrainingRuns$()));
  await time.tickAsync(1000);
  const error = await failed;
  assertInstanceOf(error, ApiTimeoutError);
  assertEquals([error.requestUrl, error.requestId], ["https://s.example/away", "req-1"]);
  assertEachHopReported(events, fetches);
});

Deno.test("events$ reports the server's request id in `response`", async () => {
  const { client, events } = observedClient([
    Response.json(PAGE, { headers: { "x-request-id": "req-1" } }),
  ]);
  await firstValueFrom(client.listTrainingRuns$());
  const response = events[1];
  assert(response?.type === "response");
  assertEquals(response.requestId, "req-1");
});

Deno.test("events$ ends the hop of a cancelled operation with `cancel`, without a failure", async () => {
  const { client, events } = observedClient(["silence"]);
  client.listTrainingRuns$().subscribe().unsubscribe();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(events.map(({ type }) => type), ["request", "cancel"]);
});

Deno.test("events$ reports a key function that fails as the error of its call, without a hop", async () => {
  const { client, events, fetches } = observedClient([], {
    apiKey: () => Promise.reject("locked"),
  });
  await assertRejects(() => lastValueFrom(client.listTrainingRuns$()));
  assertEquals([events.map(({ type }) => type), fetches], [["error"], []]);
});

Deno.test("events$ reports the failure of a hop with an ApiConnectionError that has the URL of the hop", async () => {
  const { client, events } = observedClient([
    redirect("https://s.example/away?sig=1"),
    new TypeError("refused"),
  ], { retry: false });
  await assertRejects(() => firstValueFrom(client.listTrainingRuns$()));
  const failure = events.find(({ type }) => type === "failure");
  assert(failure?.type === "failure");
  assertInstanceOf(failure.error, ApiConnectionError);
  assertEquals([failure.url, failure.error.requestUrl], [
    "https://s.example/away",
    "https://s.example/away",
  ]);
});
