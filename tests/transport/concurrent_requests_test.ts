import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { firstValueFrom, from, lastValueFrom, mergeMap } from "rxjs";
// Loaded beforehand: the first two downloads might not finish loading it in their own order.
import "../../src/download/download_to.ts";
import { ApiTimeoutError } from "../../src/errors.ts";
import { RestClient } from "../../src/rest_client.ts";
import type { ClientEvent } from "../../src/transport/client_event.ts";

/** A `fetch` whose answers come when the test says so, and a client that has one request at a time. */
function oneAtATime(options: ConstructorParameters<typeof RestClient>[0] = {}) {
  const answers: ((response: Response) => void)[] = [];
  const asked: string[] = [];
  const client = new RestClient({
    apiKey: "k",
    maxConcurrentRequests: 1,
    retry: false,
    fetch: (input, init) => {
      asked.push(new URL(String(input)).pathname.replace(/^.*training_runs\//, ""));
      return new Promise((resolve, reject) => {
        answers.push(resolve);
        init?.signal?.addEventListener("abort", () => reject(init.signal?.reason));
      });
    },
    ...options,
  });
  const events: ClientEvent[] = [];
  client.events$.subscribe((event) => events.push(event));
  return { client, asked, answers, events };
}

const checkpoints = () => Response.json({ checkpoints: [] });

/** Lets all promises go on. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) await Promise.resolve();
}

Deno.test("a request waits until the body of the one before it is read", async () => {
  const { client, asked, answers } = oneAtATime();
  const body = new TransformStream<Uint8Array, Uint8Array>();
  const first = firstValueFrom(client.listCheckpoints$("a"));
  const second = firstValueFrom(client.listCheckpoints$("b"));
  answers[0]?.(new Response(body.readable));
  const writer = body.writable.getWriter();
  await writer.write(new TextEncoder().encode('{"checkpoints":'));
  await settle();
  assertEquals(asked, ["a/checkpoints"]);
  await writer.write(new TextEncoder().encode("[]}"));
  await writer.close();
  await first;
  await settle();
  assertEquals(asked, ["a/checkpoints", "b/checkpoints"]);
  answers[1]?.(checkpoints());
  await second;
});

Deno.test("timeoutMs and the `request` event count from when it is a request's turn", async () => {
  using time = new FakeTime();
  const { client, asked, events } = oneAtATime({ timeoutMs: 1000 });
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
  assertEquals(asked, ["a/checkpoints", "b/checkpoints"]);
  assertEquals(events.map(({ type }) => type), ["request", "failure", "error", "request"]);
  await time.tickAsync(1);
  assertInstanceOf(await outcomes[1], ApiTimeoutError);
});

Deno.test("a request that waits to be tried again lets others go first, and queues at the end", async () => {
  using time = new FakeTime();
  const retry = { maxRetries: 1, initialDelayMs: 0, maxDelayMs: 0 };
  const { client, asked, answers } = oneAtATime({ retry });
  const all = ["a", "b", "c"].map((run) => firstValueFrom(client.listCheckpoints$(run)));
  answers[0]?.(new Response(null, { status: 429, headers: { "Retry-After": "1" } }));
  await time.tickAsync(500);
  await settle();
  assertEquals(asked.map((path) => path[0]), ["a", "b"]);
  await time.tickAsync(1000);
  answers[1]?.(checkpoints());
  await settle();
  answers[2]?.(checkpoints());
  await settle();
  answers[3]?.(checkpoints());
  await Promise.all(all);
  assertEquals(asked.map((path) => path[0]), ["a", "b", "c", "a"]);
});

Deno.test("a request that is given up before its turn is never sent, and has no events", async () => {
  const { client, asked, answers, events } = oneAtATime();
  const first = firstValueFrom(client.listCheckpoints$("a"));
  const waiting = client.listCheckpoints$("b").subscribe();
  const last = firstValueFrom(client.listCheckpoints$("c"));
  waiting.unsubscribe();
  answers[0]?.(checkpoints());
  await first;
  await settle();
  answers[1]?.(checkpoints());
  await last;
  assertEquals(asked, ["a/checkpoints", "c/checkpoints"]);
  assertEquals(events.map(({ callId }) => callId), [1, 1, 3, 3]);
});

Deno.test("who gives up many requests at once has none of those sent that waited", async () => {
  const { client, asked, events } = oneAtATime();
  const ids = ["a", "b", "c"];
  from(ids).pipe(mergeMap((id) => client.deleteCheckpoint$("run", id))).subscribe().unsubscribe();
  await settle();
  assertEquals(asked, ["run/checkpoints/a"]);
  assertEquals(events.map(({ type }) => type), ["request", "cancel"]);
});

Deno.test("a request that is given up at its `request` event is not sent", async () => {
  const { client, asked, answers, events } = oneAtATime();
  const first = firstValueFrom(client.listCheckpoints$("a"));
  const deleting = client.deleteCheckpoint$("b", "c").subscribe();
  client.events$.subscribe(({ type }) => type === "request" && deleting.unsubscribe());
  answers[0]?.(checkpoints());
  await first;
  await settle();
  assertEquals(asked, ["a/checkpoints"]);
  assertEquals(events.map(({ type }) => type), ["request", "response", "request", "cancel"]);
});

Deno.test("a request that fails or is given up makes place for the next", async () => {
  const { client, asked, answers } = oneAtATime();
  const failing = assertRejects(() => firstValueFrom(client.listCheckpoints$("a")));
  const givenUp = client.listCheckpoints$("b").subscribe();
  const last = firstValueFrom(client.listCheckpoints$("c"));
  answers[0]?.(new Response(null, { status: 404 }));
  await failing;
  await settle();
  assertEquals(asked, ["a/checkpoints", "b/checkpoints"]);
  givenUp.unsubscribe();
  await settle();
  answers[2]?.(checkpoints());
  await last;
});

Deno.test("an archive counts as a request until its headers are there, and then as a transfer", async () => {
  const { client, asked, answers } = oneAtATime();
  const body = new TransformStream<Uint8Array, Uint8Array>();
  const asking = firstValueFrom(client.events$);
  const archive = firstValueFrom(client.downloadCheckpointArchive$("a", "c"));
  const next = firstValueFrom(client.downloadCheckpointArchive$("b", "c"));
  await asking;
  const listing = firstValueFrom(client.listCheckpoints$("l"));
  answers[0]?.(new Response(body.readable, { headers: { "Content-Length": "3" } }));
  await settle();
  assertEquals(asked, ["a/checkpoints/c/archive", "l/checkpoints"]);
  answers[1]?.(checkpoints());
  await listing;
  const writer = body.writable.getWriter();
  await writer.write(new Uint8Array([1, 2, 3]));
  await settle();
  assertEquals(asked.length, 2);
  const askingNext = firstValueFrom(client.events$);
  await writer.close();
  assertEquals(await archive, new Uint8Array([1, 2, 3]));
  await askingNext;
  await settle();
  assertEquals(asked.at(-1), "b/checkpoints/c/archive");
  answers[2]?.(new Response("x", { headers: { "Content-Length": "1" } }));
  await next;
});

Deno.test("a download that is given up before its turn aborts its stream, and is never asked for", async () => {
  const { client, asked } = oneAtATime();
  const asking = firstValueFrom(client.events$);
  const first = client.downloadCheckpointArchive$("a", "c").subscribe();
  const reasons: string[] = [];
  const to = new WritableStream({ abort: (reason) => void reasons.push(reason.name) });
  const waiting = client.download$({ trainingRunId: "b", checkpointId: "c" }, { to }).subscribe();
  assertEquals(to.locked, true);
  await asking;
  await settle();
  assertEquals(to.locked, true);
  waiting.unsubscribe();
  await settle();
  assertEquals(reasons, ["AbortError"]);
  assertEquals(to.locked, false);
  first.unsubscribe();
  await settle();
  assertEquals(asked.length, 1);
});

Deno.test("prepareTimeoutMs does not count how long an archive waits for its turn", async () => {
  using time = new FakeTime();
  const { client, answers } = oneAtATime({ retry: { initialDelayMs: 0 } });
  const listing = firstValueFrom(client.listCheckpoints$("a"));
  const complete = lastValueFrom(
    client.download$({ trainingRunId: "b", checkpointId: "c" }, { prepareTimeoutMs: 1000 }),
  );
  await time.tickAsync(5000);
  answers[0]?.(checkpoints());
  await listing;
  await settle();
  answers[1]?.(new Response(null, { status: 503, headers: { "Retry-After": "1" } }));
  await settle();
  await time.tickAsync(1000);
  await settle();
  answers[2]?.(new Response("x", { headers: { "Content-Length": "1" } }));
  assertEquals((await complete).loaded, 1);
});
