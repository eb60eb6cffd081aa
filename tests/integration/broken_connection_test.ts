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
import { ChunkedAnswer, serve, tarMember } from "./loopback_server.ts";
import { answerText, type RawAnswer, serveRaw } from "./raw_server.ts";
import { RecordingSink } from "./recording_sink.ts";

const apiKey = "key-7d1f";
const checkpoint = { trainingRunId: "run", checkpointId: "final" };
const EMPTY_LIST = '{"checkpoints": []}';

const wholeList: RawAnswer = async (connection) => {
  const headers = ["Content-Type: application/json", `Content-Length: ${EMPTY_LIST.length}`];
  await connection.write(answerText(headers, EMPTY_LIST));
  await connection.end();
};

const brokenLists: Record<string, RawAnswer> = {
  "a connection reset before the headers": (connection) => connection.reset(),
  "a connection closed before the headers": (connection) => connection.end(),
  "a connection reset within the headers": async (connection) => {
    await connection.write("HTTP/1.1 200 OK\r\nContent-Ty");
    connection.reset();
  },
  "an answer that is no HTTP": async (connection) => {
    await connection.write("220 mail.example ESMTP\r\n\r\n");
    await connection.end();
  },
  "a JSON answer shorter than announced": async (connection) => {
    const headers = ["Content-Type: application/json", `Content-Length: ${EMPTY_LIST.length}`];
    await connection.write(answerText(headers, EMPTY_LIST.slice(0, -1)));
    await connection.end();
  },
  "a chunked JSON answer that is cut": async (connection) => {
    const headers = ["Content-Type: application/json", "Transfer-Encoding: chunked"];
    await connection.write(answerText(headers, `8\r\n${EMPTY_LIST.slice(0, 8)}\r\n`));
    await connection.end();
  },
  "a connection reset within a JSON answer": async (connection) => {
    const headers = ["Content-Type: application/json", `Content-Length: ${EMPTY_LIST.length}`];
    await connection.write(answerText(headers, EMPTY_LIST.slice(0, 8)));
    connection.reset();
  },
};
for (const [what, broken] of Object.entries(brokenLists)) {
  Deno.test(`${what} leads to another attempt`, async () => {
    await using server = serveRaw(broken, wholeList);
    const client = new RestClient({
      apiKey,
      baseUrl: server.url,
      retry: { initialDelayMs: 0 },
    });
    assertEquals(await firstValueFrom(client.listCheckpoints$("run")), { checkpoints: [] });
    assertEquals(server.requestLines.length, 2);
  });

  Deno.test(`${what} is a connection error where nothing is tried again`, async () => {
    await using server = serveRaw(broken);
    const client = new RestClient({ apiKey, baseUrl: server.url, retry: false });
    const error = await assertRejects(
      () => firstValueFrom(client.listCheckpoints$("run")),
      ApiConnectionError,
    );
    assertEquals(error.method, "GET");
    assertEquals(error.requestUrl, `${server.url}/api/v1/training_runs/run/checkpoints`);
    assertInstanceOf(error.cause, Error);
    assertEquals(server.requestLines.length, 1);
  });
}

Deno.test("a server that is not there is a connection error", async () => {
  const server = serveRaw();
  await server[Symbol.asyncDispose]();
  const client = new RestClient({ apiKey, baseUrl: server.url, retry: false });
  await assertRejects(() => firstValueFrom(client.listCheckpoints$("run")), ApiConnectionError);
});

/** Downloads into a sink, fails, and gives what the error says. */
async function interruptedDownload(client: RestClient, sink = new RecordingSink()) {
  const download$ = client.download$(checkpoint, { to: sink.writable });
  const error = await assertRejects(() => lastValueFrom(download$), DownloadInterruptedError);
  assertEquals(await sink.aborted, error);
  assertEquals(error.loaded, sink.loaded);
  return { loaded: error.loaded, total: error.total, message: error.message };
}

Deno.test("an archive shorter than announced is an interrupted download", async () => {
  await using server = serveRaw(async (connection) => {
    await connection.write(answerText(["Content-Length: 1000"], "x".repeat(600)));
    await connection.end();
  });
  const client = new RestClient({ apiKey, baseUrl: server.url });
  const { loaded, total } = await interruptedDownload(client);
  assertEquals({ loaded, total }, { loaded: 600, total: 1000 });
});

Deno.test("a chunked archive that is cut is an interrupted download", async () => {
  await using server = serveRaw(async (connection) => {
    await connection.write(answerText(["Transfer-Encoding: chunked"], "258\r\n"));
    await connection.write(ARCHIVE.slice(0, 0x258));
    await connection.end();
  });
  const client = new RestClient({ apiKey, baseUrl: server.url });
  const { loaded, total } = await interruptedDownload(client);
  assertEquals({ loaded, total }, { loaded: 600, total: undefined });
});

Deno.test("a connection reset within an archive is an interrupted download", async () => {
  const halfWay = Promise.withResolvers<void>();
  await using server = serveRaw(async (connection) => {
    await connection.write(answerText(["Content-Length: 1000"], "x".repeat(600)));
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

for (const [what, length] of [["longer", 1_000_000], ["shorter", 1_100_000]] as const) {
  Deno.test(`an archive ${what} than announced, yet ended as if whole, is interrupted`, async () => {
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

Deno.test("an archive of no bytes at all is not a download", async () => {
  for (const headers of [["Content-Length: 0"], ["Transfer-Encoding: chunked"]]) {
    await using server = serveRaw(async (connection) => {
      const body = headers[0] === "Content-Length: 0" ? "" : "0\r\n\r\n";
      await connection.write(answerText(headers, body));
      await connection.end();
    });
    const client = new RestClient({ apiKey, baseUrl: server.url, retry: false });
    await assertRejects(() => lastValueFrom(client.download$(checkpoint)));
  }
});

Deno.test("an archive that goes silent is an interrupted download", async () => {
  const chunks = [ARCHIVE.slice(0, 600)];
  const never = Promise.withResolvers<undefined>();
  const answer = new ChunkedAnswer(() => {
    const chunk = chunks.shift();
    return chunk === undefined ? never.promise : Promise.resolve(chunk);
  });
  await using server = serve(() => answer.response);
  using time = new FakeTime();
  const client = new RestClient({ apiKey, baseUrl: server.url });
  const arrived = Promise.withResolvers<void>();
  const interrupted = interruptedDownload(client, new RecordingSink(() => arrived.resolve()));
  await arrived.promise;
  await time.tickAsync(30_000);
  const { loaded, message } = await interrupted;
  assertEquals(loaded, 600);
  assertEquals(message.includes("no data received for 30000 ms"), true);
  await answer.abandoned;
});

Deno.test("an archive may take longer than any single wait", async () => {
  using time = new FakeTime();
  let arrived = Promise.withResolvers<void>();
  arrived.resolve();
  const answer: ChunkedAnswer = new ChunkedAnswer(async () => {
    await arrived.promise;
    arrived = Promise.withResolvers();
    time.tick(25_000);
    if (answer.sentBytes === 4096) return undefined;
    return answer.sentBytes < 3072 ? tarMember(1024) : new Uint8Array(1024);
  });
  await using server = serve(() => answer.response);
  const client = new RestClient({ apiKey, baseUrl: server.url });
  const sink = new RecordingSink(() => arrived.resolve());
  const done = await lastValueFrom(client.download$(checkpoint, { to: sink.writable }));
  assertEquals(done.loaded, 4096);
});

Deno.test("a JSON answer that never ends is a time-out", async () => {
  const answer = new ChunkedAnswer(
    () => Promise.resolve(new Uint8Array(600).fill(0x20)),
    { "Content-Type": "application/json" },
  );
  await using server = serve(() => answer.response);
  using time = new FakeTime();
  const client = new RestClient({ apiKey, baseUrl: server.url, retry: false });
  client.events$.pipe(filter(({ type }) => type === "response"))
    .subscribe(() => time.tick(60_000));
  await assertRejects(
    () => firstValueFrom(client.listCheckpoints$("run")),
    ApiTimeoutError,
    "timed out after 60000 ms",
  );
  await answer.abandoned;
});

Deno.test("headers that never come are a time-out, and lead to another attempt", async () => {
  using time = new FakeTime();
  await using server = serveRaw(async (connection) => {
    time.tick(60_000); // the time limit
    time.tick(1); // the wait before the retry
    await connection.closedByClient();
  }, wholeList);
  const client = new RestClient({ apiKey, baseUrl: server.url, retry: { initialDelayMs: 0 } });
  assertEquals(await firstValueFrom(client.listCheckpoints$("run")), { checkpoints: [] });
  assertEquals(server.requestLines.length, 2);
});
