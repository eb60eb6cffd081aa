import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import {
  ApiConnectionError,
  ApiTimeoutError,
  DownloadInterruptedError,
  RestClient,
} from "@hpcai/rx";
import { FakeHpcai } from "@hpcai/rx/testing";
import { filter, firstValueFrom, lastValueFrom, tap } from "rxjs";
import { ARCHIVE } from "./archive_server.ts";
import { ChunkedResponse, serve, tarChunk } from "./loopback_server.ts";
import { type RawResponder, responseText, sendText, serveRaw } from "./raw_responses.ts";
import { RecordingSink } from "./recording_sink.ts";

const apiKey = "key-7d1f";
const checkpoint = { trainingRunId: "run", checkpointId: "final" };
const EMPTY_LIST = '{"checkpoints": []}';

const LIST_HEADERS = ["Content-Type: application/json", `Content-Length: ${EMPTY_LIST.length}`];
const sendList = sendText(LIST_HEADERS, EMPTY_LIST);

const INTERRUPTED_LISTS: Record<string, RawResponder> = {
  "a connection reset before the headers": (connection) => connection.reset(),
  "a connection closed before the headers": (connection) => connection.end(),
  "a connection reset within the headers": async (connection) => {
    await connection.write("HTTP/1.1 200 OK\r\nContent-Ty");
    connection.reset();
  },
  "a response that is not HTTP": (connection) => connection.write("220 mail.example ESMTP\r\n\r\n"),
  "a JSON body shorter than its Content-Length": sendText(LIST_HEADERS, EMPTY_LIST.slice(0, -1)),
  "an interrupted chunked JSON body": sendText(
    ["Content-Type: application/json", "Transfer-Encoding: chunked"],
    `8\r\n${EMPTY_LIST.slice(0, 8)}\r\n`,
  ),
  "a connection reset within a JSON body": async (connection) => {
    await connection.write(responseText(LIST_HEADERS, EMPTY_LIST.slice(0, 8)));
    connection.reset();
  },
};
for (const [what, respond] of Object.entries(INTERRUPTED_LISTS)) {
  Deno.test(`listCheckpoints$ retries after ${what}`, async () => {
    await using server = await serveRaw(respond, sendList);
    const client = new RestClient({
      apiKey,
      baseUrl: server.url,
      retry: { initialDelayMs: 0 },
    });
    assertEquals(await firstValueFrom(client.listCheckpoints$("run")), { checkpoints: [] });
    assertEquals(server.requests.length, 2);
  });

  Deno.test(`listCheckpoints$ without retries fails with an ApiConnectionError after ${what}`, async () => {
    await using server = await serveRaw(respond);
    const client = new RestClient({ apiKey, baseUrl: server.url, retry: false });
    const error = await assertRejects(
      () => firstValueFrom(client.listCheckpoints$("run")),
      ApiConnectionError,
    );
    assertEquals(error.method, "GET");
    assertEquals(error.requestUrl, `${server.url}/api/v1/training_runs/run/checkpoints`);
    assertInstanceOf(error.cause, Error);
    assertEquals(server.requests.length, 1);
  });
}

Deno.test("listCheckpoints$ fails with an ApiConnectionError when no server listens", async () => {
  const server = await serveRaw();
  await server[Symbol.asyncDispose]();
  const client = new RestClient({ apiKey, baseUrl: server.url, retry: false });
  await assertRejects(() => firstValueFrom(client.listCheckpoints$("run")), ApiConnectionError);
});

/** Downloads into a sink; returns the facts of the DownloadInterruptedError. */
async function interruptedDownload(client: RestClient, sink = new RecordingSink()) {
  const download$ = client.download$(checkpoint, { to: sink.writable });
  const error = await assertRejects(() => lastValueFrom(download$), DownloadInterruptedError);
  assertEquals(await sink.whenAborted, error);
  assertEquals(error.loaded, sink.loaded);
  return { loaded: error.loaded, total: error.total, message: error.message };
}

Deno.test("download$ fails with a DownloadInterruptedError when the body is shorter than its Content-Length", async () => {
  await using server = await serveRaw(sendText(["Content-Length: 1000"], "x".repeat(600)));
  const client = new RestClient({ apiKey, baseUrl: server.url });
  const { loaded, total } = await interruptedDownload(client);
  assertEquals({ loaded, total }, { loaded: 600, total: 1000 });
});

Deno.test("download$ fails with a DownloadInterruptedError when a chunked body is interrupted", async () => {
  await using server = await serveRaw(async (connection) => {
    await connection.write(responseText(["Transfer-Encoding: chunked"], "258\r\n"));
    await connection.write(ARCHIVE.slice(0, 0x258));
  });
  const client = new RestClient({ apiKey, baseUrl: server.url });
  const { loaded, total } = await interruptedDownload(client);
  assertEquals({ loaded, total }, { loaded: 600, total: undefined });
});

Deno.test("download$ fails with a DownloadInterruptedError when the connection is reset", async () => {
  const halfWay = Promise.withResolvers<void>();
  await using server = await serveRaw(async (connection) => {
    await connection.write(responseText(["Content-Length: 1000"], "x".repeat(600)));
    await halfWay.promise;
    connection.reset();
  });
  const client = new RestClient({ apiKey, baseUrl: server.url, retry: false });
  const download$ = client.download$(checkpoint, { progressIntervalMs: 0 });
  const error = await assertRejects(
    () =>
      lastValueFrom(download$.pipe(tap(({ loaded }) => {
        if (loaded === 600) halfWay.resolve();
      }))),
    DownloadInterruptedError,
  );
  assertEquals([error.loaded, error.total], [600, 1000]);
  assertInstanceOf(error.cause, Error);
});

for (const [comparison, length] of [["longer", 1_000_000], ["shorter", 1_100_000]] as const) {
  Deno.test(`downloadCheckpointArchive$ fails with a DownloadInterruptedError when a complete body is ${comparison} than its Content-Length`, async () => {
    const fake = new FakeHpcai();
    fake.faults.add({ type: "wrong-length", length }, { on: "archive" });
    const { fetch, apiKey } = fake;
    const [trainingRunId = ""] = fake.trainingRunIds;
    const [{ checkpointId } = { checkpointId: "" }] = fake.checkpoints(trainingRunId);
    const client = new RestClient({ apiKey, fetch, retry: false });
    const error = await assertRejects(
      () => firstValueFrom(client.downloadCheckpointArchive$(trainingRunId, checkpointId)),
      DownloadInterruptedError,
    );
    assertEquals(error.total, length);
    assertEquals(error.loaded <= 1_048_576, true);
  });
}

Deno.test("download$ fails when the body is empty", async () => {
  for (
    const [headers, body] of [
      [["Content-Length: 0"], ""],
      [["Transfer-Encoding: chunked"], "0\r\n\r\n"],
    ] as const
  ) {
    await using server = await serveRaw(sendText(headers, body));
    const client = new RestClient({ apiKey, baseUrl: server.url, retry: false });
    await assertRejects(() => lastValueFrom(client.download$(checkpoint)));
  }
});

Deno.test("download$ fails with a DownloadInterruptedError when the body stalls", async () => {
  const chunks = [ARCHIVE.slice(0, 600)];
  const never = Promise.withResolvers<undefined>();
  const chunked = new ChunkedResponse(() => {
    const chunk = chunks.shift();
    return chunk === undefined ? never.promise : Promise.resolve(chunk);
  });
  await using server = serve(() => chunked.response);
  using time = new FakeTime();
  const client = new RestClient({ apiKey, baseUrl: server.url });
  const arrived = Promise.withResolvers<void>();
  const interrupted = interruptedDownload(client, new RecordingSink(() => arrived.resolve()));
  await arrived.promise;
  await time.tickAsync(30_000);
  const { loaded, message } = await interrupted;
  assertEquals(loaded, 600);
  assertEquals(message.includes("no data received for 30000 ms"), true);
  await chunked.whenCanceled;
});

Deno.test("idleTimeoutMs limits the time between chunks, not that of the download", async () => {
  using time = new FakeTime();
  let arrived = Promise.withResolvers<void>();
  arrived.resolve();
  const chunked: ChunkedResponse = new ChunkedResponse(async () => {
    await arrived.promise;
    arrived = Promise.withResolvers();
    time.tick(25_000);
    if (chunked.sentBytes === 4096) return undefined;
    return chunked.sentBytes < 3072 ? tarChunk(1024) : new Uint8Array(1024);
  });
  await using server = serve(() => chunked.response);
  const client = new RestClient({ apiKey, baseUrl: server.url });
  const sink = new RecordingSink(() => arrived.resolve());
  const done = await lastValueFrom(client.download$(checkpoint, { to: sink.writable }));
  assertEquals(done.loaded, 4096);
});

Deno.test("listCheckpoints$ fails with an ApiTimeoutError when the body never ends", async () => {
  const chunked = new ChunkedResponse(
    () => Promise.resolve(new Uint8Array(600).fill(0x20)),
    { "Content-Type": "application/json" },
  );
  await using server = serve(() => chunked.response);
  using time = new FakeTime();
  const client = new RestClient({ apiKey, baseUrl: server.url, retry: false });
  client.events$.pipe(filter(({ type }) => type === "response"))
    .subscribe(() => time.tick(60_000));
  await assertRejects(
    () => firstValueFrom(client.listCheckpoints$("run")),
    ApiTimeoutError,
    "timed out after 60000 ms",
  );
  await chunked.whenCanceled;
});

Deno.test("listCheckpoints$ retries after a timeout before the headers", async () => {
  using time = new FakeTime();
  await using server = await serveRaw(async (connection) => {
    time.tick(60_000); // the time limit
    time.tick(1); // the wait before the retry
    await connection.closed;
  }, sendList);
  const client = new RestClient({ apiKey, baseUrl: server.url, retry: { initialDelayMs: 0 } });
  assertEquals(await firstValueFrom(client.listCheckpoints$("run")), { checkpoints: [] });
  assertEquals(server.requests.length, 2);
});
