import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { firstValueFrom, from, lastValueFrom, mergeMap } from "rxjs";
// Loaded beforehand: the first two downloads might not finish loading it in their own order.
import "../../src/download/download_to.ts";
import { ApiTimeoutError } from "../../src/errors.ts";
import { RestClient } from "../../src/rest_client.ts";
import type { ClientEvent } from "../../src/transport/client_event.ts";

/** A client with one request at a time, whose responses the test resolves. */
function singleRequestClient(options: ConstructorParameters<typeof RestClient>[0] = {}) {
  const responses: ((response: Response) => void)[] = [];
  const requested: string[] = [];
  const client = new RestClient({
    apiKey: "k",
    maxConcurrentRequests: 1,
    retry: false,
    fetch: (input, init) => {
      requested.push(new URL(String(input)).pathname.replace(/^.*training_runs\//, ""));
      return new Promise((resolve, reject) => {
        responses.push(resolve);
        init?.signal?.addEventListener("abort", () => reject(init.signal?.reason));
      });
    },
    ...options,
  });
  const events: ClientEvent[] = [];
  client.events$.subscribe((event) => events.push(event));
  return { client, requested, responses, events };
}

const checkpoints = () => Response.json({ checkpoints: [] });

/** Waits until all promises that need no timer are settled. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) await Promise.resolve();
}

Deno.test("maxConcurrentRequests delays a request until the body of the previous response is read", async () => {
  const { client, requested, responses } = singleRequestClient();
  const body = new TransformStream<Uint8Array, Uint8Array>();
  const first = firstValueFrom(client.listCheckpoints$("a"));
  const second = firstValueFrom(client.listCheckpoints$("b"));
  responses[0]?.(new Response(body.readable));
  const writer = body.writable.getWriter();
  await writer.write(new TextEncoder().encode('{"checkpoints":'));
  await settle();
  assertEquals(requested, ["a/checkpoints"]);
  await writer.write(new TextEncoder().encode("[]}"));
  await writer.close();
  await first;
  await settle();
  assertEquals(requested, ["a/checkpoints", "b/checkpoints"]);
  responses[1]?.(checkpoints());
  await second;
});

Deno.test("timeoutMs and the `request` event begin when a request is sent, not while it waits", async () => {
  using time = new FakeTime();
  const { client, requested, events } = singleRequestClient({ timeoutMs: 1000 });
  const outcomes = ["a", "b"].map((run) =>
    assertRejects(() => firstValueFrom(client.listCheckpoints$(run)))
  );
  await time.tickAsync(999);
  await settle();
  assertEquals(events.map(({ type, callId }) => [type, callId]), [["request", 1]]);
  await time.tickAsync(1);
  assertInstanceOf(await outcomes[0], ApiTimeoutError);
  await time.tickAsync(999);
  await settle();
  assertEquals(requested, ["a/checkpoints", "b/checkpoints"]);
  assertEquals(events.map(({ type }) => type), ["request", "failure", "error", "request"]);
  await time.tickAsync(1);
  assertInstanceOf(await outcomes[1], ApiTimeoutError);
});

Deno.test("maxConcurrentRequests frees the slot of a request that waits for its retry, which queues at the end", async () => {
  using time = new FakeTime();
  const retry = { maxRetries: 1, initialDelayMs: 0, maxDelayMs: 0 };
  const { client, requested, responses } = singleRequestClient({ retry });
  const all = ["a", "b", "c"].map((run) => firstValueFrom(client.listCheckpoints$(run)));
  responses[0]?.(new Response(null, { status: 429, headers: { "Retry-After": "1" } }));
  await time.tickAsync(500);
  await settle();
  assertEquals(requested.map((path) => path[0]), ["a", "b"]);
  await time.tickAsync(1000);
  responses[1]?.(checkpoints());
  await settle();
  responses[2]?.(checkpoints());
  await settle();
  responses[3]?.(checkpoints());
  await Promise.all(all);
  assertEquals(requested.map((path) => path[0]), ["a", "b", "c", "a"]);
});

Deno.test("listCheckpoints$ that is cancelled while it waits sends no request and has no events", async () => {
  const { client, requested, responses, events } = singleRequestClient();
  const first = firstValueFrom(client.listCheckpoints$("a"));
  const waiting = client.listCheckpoints$("b").subscribe();
  const last = firstValueFrom(client.listCheckpoints$("c"));
  waiting.unsubscribe();
  responses[0]?.(checkpoints());
  await first;
  await settle();
  responses[1]?.(checkpoints());
  await last;
  assertEquals(requested, ["a/checkpoints", "c/checkpoints"]);
  assertEquals(events.map(({ callId }) => callId), [1, 1, 3, 3]);
});

Deno.test("unsubscribe from many requests sends none of those that wait", async () => {
  const { client, requested, events } = singleRequestClient();
  const ids = ["a", "b", "c"];
  from(ids).pipe(mergeMap((id) => client.deleteCheckpoint$("run", id))).subscribe().unsubscribe();
  await settle();
  assertEquals(requested, ["run/checkpoints/a"]);
  assertEquals(events.map(({ type }) => type), ["request", "cancel"]);
});

Deno.test("unsubscribe in a subscriber of the `request` event prevents the request", async () => {
  const { client, requested, responses, events } = singleRequestClient();
  const first = firstValueFrom(client.listCheckpoints$("a"));
  const deleting = client.deleteCheckpoint$("b", "c").subscribe();
  client.events$.subscribe(({ type }) => type === "request" && deleting.unsubscribe());
  responses[0]?.(checkpoints());
  await first;
  await settle();
  assertEquals(requested, ["a/checkpoints"]);
  assertEquals(events.map(({ type }) => type), ["request", "response", "request", "cancel"]);
});

Deno.test("maxConcurrentRequests frees the slot of a request that fails or is cancelled", async () => {
  const { client, requested, responses } = singleRequestClient();
  const failing = assertRejects(() => firstValueFrom(client.listCheckpoints$("a")));
  const cancelled = client.listCheckpoints$("b").subscribe();
  const last = firstValueFrom(client.listCheckpoints$("c"));
  responses[0]?.(new Response(null, { status: 404 }));
  await failing;
  await settle();
  assertEquals(requested, ["a/checkpoints", "b/checkpoints"]);
  cancelled.unsubscribe();
  await settle();
  responses[2]?.(checkpoints());
  await last;
});

Deno.test("maxConcurrentRequests counts an archive as a request until its headers arrive, then as a transfer", async () => {
  const { client, requested, responses } = singleRequestClient();
  const body = new TransformStream<Uint8Array, Uint8Array>();
  const requesting = firstValueFrom(client.events$);
  const archive = firstValueFrom(client.downloadCheckpointArchive$("a", "c"));
  const next = firstValueFrom(client.downloadCheckpointArchive$("b", "c"));
  await requesting;
  const listing = firstValueFrom(client.listCheckpoints$("l"));
  responses[0]?.(new Response(body.readable, { headers: { "Content-Length": "3" } }));
  await settle();
  assertEquals(requested, ["a/checkpoints/c/archive", "l/checkpoints"]);
  responses[1]?.(checkpoints());
  await listing;
  const writer = body.writable.getWriter();
  await writer.write(new Uint8Array([1, 2, 3]));
  await settle();
  assertEquals(requested.length, 2);
  const requestingNext = firstValueFrom(client.events$);
  await writer.close();
  assertEquals(await archive, new Uint8Array([1, 2, 3]));
  await requestingNext;
  await settle();
  assertEquals(requested.at(-1), "b/checkpoints/c/archive");
  responses[2]?.(new Response("x", { headers: { "Content-Length": "1" } }));
  await next;
});

Deno.test("download$ that is cancelled while it waits aborts its stream and sends no request", async () => {
  const { client, requested } = singleRequestClient();
  const requesting = firstValueFrom(client.events$);
  const first = client.downloadCheckpointArchive$("a", "c").subscribe();
  const reasons: string[] = [];
  const to = new WritableStream({ abort: (reason) => void reasons.push(reason.name) });
  const waiting = client.download$({ trainingRunId: "b", checkpointId: "c" }, { to }).subscribe();
  assertEquals(to.locked, true);
  await requesting;
  await settle();
  assertEquals(to.locked, true);
  waiting.unsubscribe();
  await settle();
  assertEquals(reasons, ["AbortError"]);
  assertEquals(to.locked, false);
  first.unsubscribe();
  await settle();
  assertEquals(requested.length, 1);
});

Deno.test("prepareTimeoutMs begins when an archive is requested, not while it waits", async () => {
  using time = new FakeTime();
  const { client, responses } = singleRequestClient({ retry: { initialDelayMs: 0 } });
  const listing = firstValueFrom(client.listCheckpoints$("a"));
  const complete = lastValueFrom(
    client.download$({ trainingRunId: "b", checkpointId: "c" }, { prepareTimeoutMs: 1000 }),
  );
  await time.tickAsync(5000);
  responses[0]?.(checkpoints());
  await listing;
  await settle();
  responses[1]?.(new Response(null, { status: 503, headers: { "Retry-After": "1" } }));
  await settle();
  await time.tickAsync(1000);
  await settle();
  responses[2]?.(new Response("x", { headers: { "Content-Length": "1" } }));
  assertEquals((await complete).loaded, 1);
});
