import {
  assertEquals,
  assertInstanceOf,
  assertNotMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { toText } from "@std/streams";
import { FakeTime } from "@std/testing/time";
import { RestClient } from "@hpcai/rx";
import { FakeHpcai } from "@hpcai/rx/testing";
import { firstValueFrom, lastValueFrom, toArray } from "rxjs";
import type { DownloadEvent, DownloadOptions } from "../../src/download/download_event.ts";
import {
  ApiResponseValidationError,
  DownloadInterruptedError,
  HpcaiError,
  InvalidArchiveError,
  InvalidArgumentError,
  NotFoundError,
} from "../../src/errors.ts";
import { LoraArchive } from "../../src/testing/lora_archive.ts";

const CHECKPOINT = "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010";
const HELLO = new TextEncoder().encode("hello");
const HELLO_LENGTH = { "Content-Length": "5" };
/** A length that no body of a test reaches. */
const HUGE_LENGTH = { "Content-Length": String(2 ** 50) };
/** A real archive of 20 000 bytes. */
const ARCHIVE = new LoraArchive({
  byteLength: 20_000,
  name: "a",
  baseModel: "m",
  rank: 1,
  mtime: 0,
}).slice(0, 20_000);

/** A client whose requests all get this response. */
function clientOf(response: () => Response): RestClient {
  return new RestClient({
    apiKey: "sk-secret",
    retry: false,
    fetch: () => Promise.resolve(response()),
  });
}

function archive(body: BodyInit | null, headers: HeadersInit = {}): Response {
  return new Response(body, { headers: { "Content-Type": "application/gzip", ...headers } });
}

function events(client: RestClient, options?: DownloadOptions): Promise<DownloadEvent[]> {
  return lastValueFrom(client.download$(CHECKPOINT, options).pipe(toArray()));
}

/** Checks that the cause is the same object as the error of the stream. */
async function assertFailsWith(cause: Error, run: () => Promise<unknown>): Promise<void> {
  const error = await assertRejects(run, HpcaiError);
  assertEquals(error.cause === cause, true);
}

/** A stream that records its calls. */
function recordingSink() {
  const notes: string[] = [];
  const to = new WritableStream<Uint8Array>({
    write: (chunk) => {
      notes.push(`write ${chunk.byteLength}`);
    },
    close: () => {
      notes.push("close");
    },
    abort: (reason) => {
      notes.push(`abort: ${reason instanceof Error ? reason.name : reason}`);
    },
  });
  return { notes, to };
}

Deno.test("download$ emits 0 bytes first, then `complete` with the body", async () => {
  const all = await events(clientOf(() => archive(HELLO, { "Content-Length": "5" })));
  assertEquals(all.map(({ type, loaded }) => [type, loaded]), [
    ["progress", 0],
    ["progress", 5],
    ["complete", 5],
  ]);
  const last = all.at(-1);
  assertEquals(last?.type === "complete" && last.body, HELLO);
});

Deno.test("download$ writes to the stream `to`, and closes it before `complete`", async () => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const text = toText(readable);
  const all = await events(clientOf(() => archive(HELLO, HELLO_LENGTH)), { to: writable });
  assertEquals(all.at(-1), {
    type: "complete",
    loaded: 5,
    body: undefined,
    format: "unknown",
  });
  assertEquals(await text, "hello");
  assertEquals(writable.locked, false);
});

Deno.test("download$ of a body without a length has no total, and completes at the end of the archive", async () => {
  const all = await events(clientOf(() => archive(ARCHIVE)));
  const [first] = all;
  assertEquals(first?.type === "progress" && first.total, undefined);
  const last = all.at(-1);
  assertEquals(last?.type === "complete" && [last.body, last.format], [ARCHIVE, "tar.gz"]);
});

Deno.test("download$ reports the format `tar` if fetch has decompressed the archive", async () => {
  const gunzip = new DecompressionStream("gzip");
  const tar = await new Response(new Blob([ARCHIVE]).stream().pipeThrough(gunzip)).bytes();
  const all = await events(clientOf(() => archive(tar, { "Content-Encoding": "gzip" })));
  const last = all.at(-1);
  assertEquals(last?.type === "complete" && [last.loaded, last.format], [tar.byteLength, "tar"]);
});

Deno.test("download$ reports the format of zeros as unknown, and rejects zeros without a length", async () => {
  const zeros = new Uint8Array(20_000);
  const last = (await events(clientOf(() => archive(zeros, { "Content-Length": "20000" })))).at(-1);
  assertEquals(last?.type === "complete" && last.format, "unknown");
  await assertRejects(() => events(clientOf(() => archive(zeros))), InvalidArchiveError);
});

Deno.test("download$ ignores the announced length of a response with a content coding", async () => {
  const headers = { "Content-Length": "999", "Content-Encoding": "gzip" };
  const all = await events(clientOf(() => archive(ARCHIVE, headers)));
  assertEquals(all.at(-1)?.loaded, 20_000);
  assertEquals(all.some((event) => "total" in event && event.total !== undefined), false);
});

for (
  const [what, length, loaded] of [["fewer", "9", 5], ["more", "4", 5]] as const
) {
  Deno.test(`download$ of ${what} bytes than announced is interrupted, and aborts the stream`, async () => {
    const { notes, to } = recordingSink();
    const error = await assertRejects(() =>
      events(clientOf(() => archive(HELLO, { "Content-Length": length })), { to })
    );
    assertInstanceOf(error, DownloadInterruptedError);
    assertEquals([error.loaded, error.total], [loaded, Number(length)]);
    assertEquals(notes.at(-1), "abort: DownloadInterruptedError");
    assertEquals(to.locked, false);
  });
}

Deno.test("download$ of an archive without bytes is interrupted", async () => {
  const error = await assertRejects(() => events(clientOf(() => archive(""))));
  assertInstanceOf(error, DownloadInterruptedError);
  assertEquals(error.loaded, 0);
});

Deno.test("download$ is interrupted by a lost connection, with a cause that holds no secret", async () => {
  const body = () =>
    new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(HELLO),
      pull: () => Promise.reject(new TypeError("reset https://s.example/a?sig=1 sk-secret")),
    });
  const error = await assertRejects(() => events(clientOf(() => archive(body(), HUGE_LENGTH))));
  assertInstanceOf(error, DownloadInterruptedError);
  assertEquals([error.loaded, error.total], [5, 2 ** 50]);
  assertStringIncludes(error.problem, "the connection was lost");
  assertStringIncludes(error.advice ?? "", "saveArchive$ resumes");
  assertNotMatch(Deno.inspect(error, { depth: 9 }), /sig=1|sk-secret/);
});

Deno.test("download$ fails with an HpcaiError whose cause is the stream's own error", async () => {
  const full = new Error("disk full");
  const to = new WritableStream<Uint8Array>({ write: () => Promise.reject(full) });
  const cancelled = Promise.withResolvers<void>();
  const endless = () =>
    new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(HELLO),
      cancel: () => cancelled.resolve(),
    });
  await assertFailsWith(
    full,
    () => events(clientOf(() => archive(endless(), HUGE_LENGTH)), { to }),
  );
  await cancelled.promise;
});

Deno.test("download$ fails if the stream cannot be closed", async () => {
  const full = new Error("disk full");
  const to = new WritableStream<Uint8Array>({ close: () => Promise.reject(full) });
  await assertFailsWith(full, () => events(clientOf(() => archive(HELLO, HELLO_LENGTH)), { to }));
});

Deno.test("download$ fails at once if the stream is closed already", async () => {
  const to = new WritableStream<Uint8Array>();
  await to.close();
  let pulled = 0;
  const endless = () =>
    new ReadableStream<Uint8Array>({
      pull: (controller) => {
        pulled++;
        controller.enqueue(HELLO);
      },
    });
  const download = () => events(clientOf(() => archive(endless(), HUGE_LENGTH)), { to });
  assertInstanceOf((await assertRejects(download, HpcaiError)).cause, TypeError);
  assertEquals(pulled < 10, true);
});

Deno.test("download$ fails at once if the stream fails while the server is silent", async () => {
  const full = new Error("disk full");
  const failing = Promise.withResolvers<void>();
  const to = new WritableStream<Uint8Array>({
    start: (controller) => {
      failing.promise.then(() => controller.error(full));
    },
  });
  const silent = () => new ReadableStream<Uint8Array>({ pull: () => failing.resolve() });
  await assertFailsWith(full, () => events(clientOf(() => archive(silent(), HUGE_LENGTH)), { to }));
});

Deno.test("download$ of an archive that is too large for an array fails with advice", async () => {
  const huge = Object.defineProperty(new Uint8Array(1), "byteLength", { value: 2 ** 50 });
  const body = () =>
    new ReadableStream<Uint8Array>({
      start: (controller) => {
        controller.enqueue(huge);
        controller.close();
      },
    });
  await assertRejects(
    () => events(clientOf(() => archive(body(), HUGE_LENGTH))),
    HpcaiError,
    "Pass a stream as the option to",
  );
});

Deno.test("download$ uses the length only for progress where CORS hides the content coding", async () => {
  const body = () => new Blob([ARCHIVE.slice(0, 9_000), ARCHIVE.slice(9_000)]).stream();
  const response = () => {
    const hidden = archive(body(), { "Content-Length": "10000" });
    return Object.defineProperty(hidden, "type", { value: "cors" });
  };
  const all = await events(clientOf(response), { progressIntervalMs: 0 });
  assertEquals(all.at(-1)?.loaded, 20_000);
  for (const event of all) {
    if (event.type === "progress") assertEquals((event.total ?? Infinity) >= event.loaded, true);
  }
});

Deno.test("download$ rejects a partial response that was not requested", async () => {
  for (const status of [206, 416]) {
    const response = () =>
      new Response(HELLO, { status, headers: { "Content-Range": "bytes 5-9/100" } });
    await assertRejects(() => events(clientOf(response)), ApiResponseValidationError);
  }
});

Deno.test("download$ reads no more than the backpressure of the stream allows", async () => {
  let pulled = 0;
  const endless = () =>
    new ReadableStream<Uint8Array>({
      pull: (controller) => {
        pulled++;
        controller.enqueue(HELLO);
      },
    }, { highWaterMark: 0 });
  const stuck = Promise.withResolvers<void>();
  const firstWrite = Promise.withResolvers<void>();
  const to = new WritableStream<Uint8Array>({
    write: () => {
      firstWrite.resolve();
      return stuck.promise;
    },
  });
  const subscription = clientOf(() => archive(endless(), HUGE_LENGTH)).download$(CHECKPOINT, { to })
    .subscribe();
  await firstWrite.promise;
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
  assertEquals(pulled, 1);
  subscription.unsubscribe();
  stuck.resolve();
});

Deno.test("download$ that is unsubscribed cancels the body, aborts the stream, and emits no more", async () => {
  const cancelled = Promise.withResolvers<void>();
  const endless = () =>
    new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(HELLO),
      cancel: () => cancelled.resolve(),
    });
  const { notes, to } = recordingSink();
  const started = Promise.withResolvers<void>();
  const seen: number[] = [];
  const subscription = clientOf(() => archive(endless(), HUGE_LENGTH))
    .download$(CHECKPOINT, { to, progressIntervalMs: 0 })
    .subscribe(({ loaded }) => {
      seen.push(loaded);
      if (loaded === 5) started.resolve();
    });
  await started.promise;
  subscription.unsubscribe();
  await cancelled.promise;
  assertEquals(notes.at(-1), "abort: AbortError");
  assertEquals(seen, [0, 5]);
  assertEquals(to.locked, false);
});

Deno.test("download$ that is unsubscribed before the response aborts the stream", async () => {
  const aborted = Promise.withResolvers<unknown>();
  const to = new WritableStream<Uint8Array>({ abort: (reason) => aborted.resolve(reason) });
  const client = new RestClient({ apiKey: "k", fetch: () => new Promise(() => {}) });
  const requested = firstValueFrom(client.events$);
  const download = client.download$(CHECKPOINT, { to }).subscribe();
  await requested;
  download.unsubscribe();
  assertStringIncludes(String(await aborted.promise), "AbortError");
});

Deno.test("download$ that is unsubscribed at once aborts the stream and sends nothing", async () => {
  const aborted = Promise.withResolvers<unknown>();
  const to = new WritableStream<Uint8Array>({ abort: (reason) => aborted.resolve(reason) });
  const fake = new FakeHpcai();
  const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch });
  client.download$(CHECKPOINT, { to }).subscribe().unsubscribe();
  assertStringIncludes(String(await aborted.promise), "AbortError");
  await firstValueFrom(client.listTrainingRuns$());
  assertEquals(fake.requests.length, 1);
});

Deno.test("download$ is interrupted by a silent server after idleTimeoutMs, and not by a slow sink", async () => {
  using time = new FakeTime();
  const silent = () =>
    new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(HELLO) });
  const slow = Promise.withResolvers<void>();
  const to = new WritableStream<Uint8Array>({ write: () => slow.promise });
  const failed = assertRejects(() =>
    events(clientOf(() => archive(silent(), HUGE_LENGTH)), { to, idleTimeoutMs: 1000 })
  );
  await time.tickAsync(0);
  await time.tickAsync(5000);
  await time.runMicrotasks();
  slow.resolve();
  await time.runMicrotasks();
  await time.tickAsync(1000);
  await time.tickAsync(1000);
  const error = await failed;
  assertInstanceOf(error, DownloadInterruptedError);
  assertStringIncludes(error.message, "no data received for 1000 ms");
});

for (
  const [what, response] of [
    ["HTML", () => archive("<html>login</html>", { "Content-Type": "text/html; charset=utf-8" })],
    ["JSON without a URL", () => archive("{}", { "Content-Type": "application/json" })],
    ["no body", () => archive(null)],
  ] as const
) {
  Deno.test(`download$ rejects ${what} in place of an archive`, async () => {
    const { notes, to } = recordingSink();
    const error = await assertRejects(() => events(clientOf(response), { to }));
    assertInstanceOf(error, ApiResponseValidationError);
    assertEquals(notes, ["abort: ApiResponseValidationError"]);
  });
}

for (
  const [argument, options] of [
    ["progressIntervalMs", { progressIntervalMs: -1 }],
    ["idleTimeoutMs", { idleTimeoutMs: 0 }],
    ["maxBytes", { maxBytes: -1 }],
    ["minBytesPerSecond", { minBytesPerSecond: 0.5 }],
    ["to", { to: {} }],
    ["to", { to: { locked: false } }],
    ["options", null],
    ["to", { to: lockedStream() }],
  ] as const
) {
  Deno.test(`download$ rejects the options ${Deno.inspect(options)} before any request`, async () => {
    const client = clientOf(() => {
      throw new Error("a request was sent");
    });
    const error = await assertRejects(() => events(client, options as DownloadOptions));
    assertInstanceOf(error, InvalidArgumentError);
    assertEquals(error.argument, argument);
  });
}

for (
  const [what, checkpoint, options] of [
    ["option", CHECKPOINT, { idleTimeoutMs: 0 }],
    ["checkpoint", "hpcai://", {}],
  ] as const
) {
  Deno.test(`download$ with an invalid ${what} neither aborts nor keeps the stream`, async () => {
    const { notes, to } = recordingSink();
    const client = clientOf(() => archive(HELLO, HELLO_LENGTH));
    await assertRejects(
      () => lastValueFrom(client.download$(checkpoint, { to, ...options })),
      InvalidArgumentError,
    );
    assertEquals(to.locked, false);
    await lastValueFrom(client.download$(CHECKPOINT, { to }));
    assertEquals(notes, ["write 5", "close"]);
  });
}

Deno.test("download$ of a client with invalid options neither aborts nor keeps the stream", async () => {
  const { notes, to } = recordingSink();
  const client = new RestClient({ apiKey: "" });
  await assertRejects(
    () => lastValueFrom(client.download$(CHECKPOINT, { to })),
    InvalidArgumentError,
  );
  assertEquals([to.locked, notes], [false, []]);
});

Deno.test("download$ rejects a stream that another download writes to, and leaves that one alone", async () => {
  const { notes, to } = recordingSink();
  const client = clientOf(() => archive(HELLO, HELLO_LENGTH));
  const first = lastValueFrom(client.download$(CHECKPOINT, { to }));
  const error = await assertRejects(
    () => lastValueFrom(client.download$(CHECKPOINT, { to })),
    InvalidArgumentError,
  );
  assertEquals(error.argument, "to");
  assertEquals((await first).type, "complete");
  assertEquals(notes, ["write 5", "close"]);
});

function lockedStream(): WritableStream<Uint8Array> {
  const stream = new WritableStream<Uint8Array>();
  stream.getWriter();
  return stream;
}

for (const archiveResponse of ["bytes", "redirect", "json"] as const) {
  Deno.test(`downloadCheckpointArchiveByCheckpointPath$ returns the bytes of an archive sent as ${archiveResponse}`, async () => {
    const fake = new FakeHpcai({ archiveResponse, archiveBytes: 200_000 });
    const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch });
    const bytes = await firstValueFrom(
      client.downloadCheckpointArchiveByCheckpointPath$(CHECKPOINT),
    );
    const expected = fake.archive("eb78693b-380d-40f8-a709-ffe0da185718", "step_0010");
    assertEquals(bytes, await new Response(expected.stream()).bytes());
    assertEquals(
      fake.requests.map(({ operation, headers }) => [operation, headers.has("X-API-Key")]),
      archiveResponse === "bytes" ? [["archive", true]] : [["archive", true], ["storage", false]],
    );
  });
}

Deno.test("downloadCheckpointArchive$ fails with a NotFoundError for an archive that does not exist", async () => {
  const fake = new FakeHpcai();
  const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch });
  const archive$ = client.downloadCheckpointArchive$("eb78693b-380d-40f8-a709-ffe0da185718", "no");
  assertInstanceOf(await assertRejects(() => firstValueFrom(archive$)), NotFoundError);
});
