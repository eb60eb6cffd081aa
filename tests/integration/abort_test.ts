import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { type ClientEvent, RestClient } from "@hpcai/rx";
import { filter, firstValueFrom, type Observable, skipWhile } from "rxjs";
import { ChunkedResponse, serve, tarChunk } from "./loopback_server.ts";
import { serveRaw } from "./raw_responses.ts";
import { RecordingSink } from "./recording_sink.ts";

// Fails each test whose timers or connections remain after it unsubscribes.
Deno.test.sanitizer({ ops: true, resources: true });

const apiKey = "key-7d1f";
const checkpoint = { trainingRunId: "run", checkpointId: "final" };

/** A server without responses; exposes when a request arrives and when its client disconnects. */
async function serveSilence() {
  const requested = Promise.withResolvers<void>();
  const disconnected = Promise.withResolvers<void>();
  const server = await serveRaw(async (connection) => {
    requested.resolve();
    await connection.closed;
    disconnected.resolve();
  });
  return Object.assign(server, {
    whenRequested: requested.promise,
    whenDisconnected: disconnected.promise,
  });
}

/** Collects the types of the events of a client. */
function eventTypes({ events$ }: { events$: Observable<ClientEvent> }): string[] {
  const types: string[] = [];
  events$.subscribe(({ type }) => types.push(type));
  return types;
}

Deno.test("unsubscribe from a request in flight disconnects from the server", async () => {
  await using server = await serveSilence();
  const client = new RestClient({ apiKey, baseUrl: server.url });
  const types = eventTypes(client);
  const outcomes: unknown[] = [];
  const record = (outcome: unknown) => outcomes.push(outcome);
  const subscription = client.getTrainingRun$("run").subscribe({
    next: record,
    error: record,
    complete: () => record("complete"),
  });
  await server.whenRequested;
  subscription.unsubscribe();
  await server.whenDisconnected;
  assertEquals(types, ["request", "cancel"]);
  assertEquals(outcomes, []);
});

Deno.test("unsubscribe during a JSON body disconnects from the server", async () => {
  const chunks = [new TextEncoder().encode('{"checkpoints": [')];
  const chunked = new ChunkedResponse(
    () => Promise.resolve(chunks.shift() ?? new Uint8Array([0x20])),
    { "Content-Type": "application/json" },
  );
  await using server = serve(() => chunked.response);
  const client = new RestClient({ apiKey, baseUrl: server.url });
  const response = firstValueFrom(client.events$.pipe(filter(({ type }) => type === "response")));
  const subscription = client.listCheckpoints$("run").subscribe();
  await response;
  subscription.unsubscribe();
  await chunked.whenCanceled;
});

Deno.test("unsubscribe before the headers of an archive disconnects and aborts the sink", async () => {
  await using server = await serveSilence();
  const client = new RestClient({ apiKey, baseUrl: server.url });
  const sink = new RecordingSink();
  const subscription = client.download$(checkpoint, { to: sink.writable }).subscribe();
  await server.whenRequested;
  subscription.unsubscribe();
  await server.whenDisconnected;
  assertInstanceOf(await sink.whenAborted, DOMException);
  assertEquals(sink.loaded, 0);
});

Deno.test("unsubscribe during a download aborts the response and the sink", async () => {
  const chunked = new ChunkedResponse(() => Promise.resolve(tarChunk(65_536)));
  await using server = serve(() => chunked.response);
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
  await chunked.whenCanceled;
  const reason = await sink.whenAborted;
  assertInstanceOf(reason, DOMException);
  assertEquals(reason.name, "AbortError");
  assertEquals({ emitted, loaded: sink.loaded }, before);
  assert(!sink.isClosed);
  assert(!sink.writable.locked);
});

Deno.test("unsubscribe in the first progress event writes nothing", async () => {
  const chunked = new ChunkedResponse(() => Promise.resolve(tarChunk(65_536)));
  await using server = serve(() => chunked.response);
  const client = new RestClient({ apiKey, baseUrl: server.url });
  const sink = new RecordingSink();
  const first = await firstValueFrom(client.download$(checkpoint, { to: sink.writable }));
  assertEquals([first.type, first.loaded], ["progress", 0]);
  await chunked.whenCanceled;
  await sink.whenAborted;
  assertEquals(sink.loaded, 0);
});

Deno.test("unsubscribe aborts the response while a write is pending", async () => {
  const chunked = new ChunkedResponse(() => Promise.resolve(tarChunk(65_536)));
  await using server = serve(() => chunked.response);
  const client = new RestClient({ apiKey, baseUrl: server.url });
  const writing = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const sink = new RecordingSink(() => {
    writing.resolve();
    return release.promise;
  });
  const subscription = client.download$(checkpoint, { to: sink.writable }).subscribe();
  await writing.promise;
  const { loaded } = sink;
  subscription.unsubscribe();
  await chunked.whenCanceled;
  release.resolve();
  await sink.whenAborted;
  assertEquals(sink.loaded, loaded);
});

Deno.test("unsubscribe before a retry sends no further request", async () => {
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
