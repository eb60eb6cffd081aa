import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { type ClientEvent, RestClient } from "@hpcai/rx";
import { filter, firstValueFrom, type Observable, skipWhile } from "rxjs";
import { ChunkedAnswer, serve, tarMember } from "./loopback_server.ts";
import { serveRaw } from "./raw_server.ts";
import { RecordingSink } from "./recording_sink.ts";

// Fails each of these tests if a timer or a connection outlives the unsubscribing.
Deno.test.sanitizer({ ops: true, resources: true });

const apiKey = "key-7d1f";
const checkpoint = { trainingRunId: "run", checkpointId: "final" };

/** A server that answers nothing and says when a request came and when its client went. */
function serveSilence() {
  const arrived = Promise.withResolvers<void>();
  const left = Promise.withResolvers<void>();
  const server = serveRaw(async (connection) => {
    arrived.resolve();
    await connection.closedByClient();
    left.resolve();
  });
  return Object.assign(server, { arrived: arrived.promise, left: left.promise });
}

/** The types of a client's events, as they come. */
function eventTypes({ events$ }: { events$: Observable<ClientEvent> }): string[] {
  const types: string[] = [];
  events$.subscribe(({ type }) => types.push(type));
  return types;
}

Deno.test("unsubscribing from a request in flight disconnects from the server", async () => {
  await using server = serveSilence();
  const client = new RestClient({ apiKey, baseUrl: server.url });
  const types = eventTypes(client);
  const outcomes: unknown[] = [];
  const record = (outcome: unknown) => outcomes.push(outcome);
  const subscription = client.getTrainingRun$("run").subscribe({
    next: record,
    error: record,
    complete: () => record("complete"),
  });
  await server.arrived;
  subscription.unsubscribe();
  await server.left;
  assertEquals(types, ["request", "cancel"]);
  assertEquals(outcomes, []);
});

Deno.test("unsubscribing within a JSON answer disconnects from the server", async () => {
  const chunks = [new TextEncoder().encode('{"checkpoints": [')];
  const answer = new ChunkedAnswer(
    () => Promise.resolve(chunks.shift() ?? new Uint8Array([0x20])),
    { "Content-Type": "application/json" },
  );
  await using server = serve(() => answer.response);
  const client = new RestClient({ apiKey, baseUrl: server.url });
  const answered = firstValueFrom(client.events$.pipe(filter(({ type }) => type === "response")));
  const subscription = client.listCheckpoints$("run").subscribe();
  await answered;
  subscription.unsubscribe();
  await answer.abandoned;
});

Deno.test("unsubscribing before an archive's headers disconnects and aborts the sink", async () => {
  await using server = serveSilence();
  const client = new RestClient({ apiKey, baseUrl: server.url });
  const sink = new RecordingSink();
  const subscription = client.download$(checkpoint, { to: sink.writable }).subscribe();
  await server.arrived;
  subscription.unsubscribe();
  await server.left;
  assertInstanceOf(await sink.aborted, DOMException);
  assertEquals(sink.loaded, 0);
});

Deno.test("unsubscribing half-way through a download stops the server and the sink", async () => {
  const answer = new ChunkedAnswer(() => Promise.resolve(tarMember(65_536)));
  await using server = serve(() => answer.response);
  const client = new RestClient({ apiKey, baseUrl: server.url });
  const sink = new RecordingSink();
  let emitted = 0;
  const halfWay = Promise.withResolvers<void>();
  const subscription = client.download$(checkpoint, { to: sink.writable, progressIntervalMs: 0 })
    .subscribe(({ loaded }) => {
      emitted++;
      if (loaded > 1_000_000) halfWay.resolve();
    });
  await halfWay.promise;
  subscription.unsubscribe();
  const before = { emitted, loaded: sink.loaded };
  await answer.abandoned;
  const reason = await sink.aborted;
  assertInstanceOf(reason, DOMException);
  assertEquals(reason.name, "AbortError");
  assertEquals({ emitted, loaded: sink.loaded }, before);
  assert(!sink.isClosed);
  assert(!sink.writable.locked);
});

Deno.test("unsubscribing from inside the first progress event writes nothing", async () => {
  const answer = new ChunkedAnswer(() => Promise.resolve(tarMember(65_536)));
  await using server = serve(() => answer.response);
  const client = new RestClient({ apiKey, baseUrl: server.url });
  const sink = new RecordingSink();
  const first = await firstValueFrom(client.download$(checkpoint, { to: sink.writable }));
  assertEquals([first.type, first.loaded], ["progress", 0]);
  await answer.abandoned;
  await sink.aborted;
  assertEquals(sink.loaded, 0);
});

Deno.test("unsubscribing reaches the server even while the sink is stuck", async () => {
  const answer = new ChunkedAnswer(() => Promise.resolve(tarMember(65_536)));
  await using server = serve(() => answer.response);
  const client = new RestClient({ apiKey, baseUrl: server.url });
  const stuck = Promise.withResolvers<void>();
  const unstick = Promise.withResolvers<void>();
  const sink = new RecordingSink(() => {
    stuck.resolve();
    return unstick.promise;
  });
  const subscription = client.download$(checkpoint, { to: sink.writable }).subscribe();
  await stuck.promise;
  const { loaded } = sink;
  subscription.unsubscribe();
  await answer.abandoned;
  unstick.resolve();
  await sink.aborted;
  assertEquals(sink.loaded, loaded);
});

Deno.test("unsubscribing in the wait before a retry sends nothing more", async () => {
  await using server = serve(() =>
    new Response(null, { status: 503, headers: { "Retry-After": "30" } })
  );
  const client = new RestClient({ apiKey, baseUrl: server.url });
  const types = eventTypes(client);
  const waiting = firstValueFrom(client.events$.pipe(skipWhile(({ type }) => type !== "retry")));
  const subscription = client.getTrainingRun$("run").subscribe();
  await waiting;
  subscription.unsubscribe();
  assertEquals(types, ["request", "response", "retry", "cancel"]);
  assertEquals(server.requests.length, 1);
});
