import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { lastValueFrom, type Observable, toArray } from "rxjs";
import type { ArchiveSink } from "../../src/download/archive_sink.ts";
import { memorySink } from "../../src/download/archive_sink.ts";
import { SinkError } from "../../src/download/interruption.ts";
import { lockSink$ } from "../../src/download/lock_sink.ts";
import {
  transfer$,
  type TransferRequest,
  type TransferUpdate,
} from "../../src/download/transfer.ts";
import {
  ApiConnectionError,
  DownloadInterruptedError,
  InternalServerError,
  InvalidArchiveError,
  LimitExceededError,
  TransferTooSlowError,
} from "../../src/errors.ts";
import type { RestClientOptions } from "../../src/options.ts";
import { LoraArchive } from "../../src/testing/lora_archive.ts";
import { createTransport } from "../../src/transport/transport.ts";

const CHECKPOINT = { trainingRunId: "run", checkpointId: "final" };
const TEXT = "the bytes of an archive";
const TAG = { "ETag": '"a"' };
/** The sink has eight bytes, `the byte`. */
const POSITION = { loaded: 8, total: TEXT.length, etag: '"a"' };

const SETTINGS = {
  progressIntervalMs: 0,
  idleTimeoutMs: 1000,
  prepareTimeoutMs: 60_000,
  maxBytes: Infinity,
  minBytesPerSecond: 0,
};

/** A run: its updates, the ranges of its requests, and the calls of its sink. */
interface Run {
  readonly event$: Observable<TransferUpdate>;
  readonly ranges: readonly (string | null)[];
  readonly notes: readonly string[];
}

interface RunOptions extends Partial<TransferRequest> {
  readonly retry?: RestClientOptions["retry"];
  readonly sink?: (notes: string[]) => ArchiveSink;
}

/** A sink that records its calls. */
function recordingSink(notes: string[]): ArchiveSink {
  return {
    writable: new WritableStream({
      write: (chunk) => void notes.push(new TextDecoder().decode(chunk)),
      close: () => void notes.push("[close]"),
      abort: (reason) => void notes.push(`[abort: ${reason.name}]`),
    }),
  };
}

/** A sink that can restart, and that records its calls. */
function restartableSink(notes: string[]): ArchiveSink {
  return { ...recordingSink(notes), restart: () => Promise.resolve(void notes.push("[restart]")) };
}

/**
 * Responds to the first request with the first response and so on, and repeats the last one.
 * `Response.error()` is a refused connection.
 */
function run(responses: readonly (() => Response)[], options: RunOptions = {}): Run {
  const {
    retry = { initialDelayMs: 0, maxDelayMs: 0 },
    sink = recordingSink,
    ...request
  } = options;
  const ranges: (string | null)[] = [];
  const notes: string[] = [];
  const transport = createTransport({
    apiKey: "k",
    retry,
    fetch: (_input, init) => {
      const response = responses[Math.min(ranges.length, responses.length - 1)];
      ranges.push(new Headers(init?.headers).get("Range"));
      const made = response?.() ?? new Response(null, { status: 404 });
      return made.type === "error"
        ? Promise.reject(new TypeError("connection refused"))
        : Promise.resolve(made);
    },
  });
  const event$ = lockSink$(
    sink(notes),
    (sink) => transfer$(transport, CHECKPOINT, sink, { ...SETTINGS, ...request }),
  );
  return { event$, ranges, notes };
}

function completeResponse(text = TEXT, headers: Record<string, string> = TAG): () => Response {
  return () =>
    new Response(text, { headers: { "Content-Length": String(text.length), ...headers } });
}

/** The archive up to `end`, then the connection is lost. */
function interruptedResponse(end: number, headers: Record<string, string> = TAG): () => Response {
  let isSent = false;
  return () =>
    new Response(
      new ReadableStream<Uint8Array>({
        pull: (controller) => {
          if (isSent) return controller.error(new TypeError("reset"));
          isSent = true;
          controller.enqueue(new TextEncoder().encode(TEXT.slice(0, end)));
        },
      }, { highWaterMark: 0 }),
      { headers: { "Content-Length": String(TEXT.length), ...headers } },
    );
}

function restResponse(start: number): () => Response {
  const range = `bytes ${start}-${TEXT.length - 1}/${TEXT.length}`;
  const headers = { "Content-Range": range, ...TAG };
  return () => new Response(TEXT.slice(start), { status: 206, headers });
}

function statusResponse(status: number, headers: Record<string, string> = {}): () => Response {
  return () => new Response(null, { status, headers });
}

function allUpdates(event$: Observable<TransferUpdate>): Promise<TransferUpdate[]> {
  return lastValueFrom(event$.pipe(toArray()));
}

/** The counts of the updates. */
function counts(events: readonly TransferUpdate[]): number[] {
  return events.flatMap((event) => event.type === "loaded" ? [event.loaded] : []);
}

Deno.test("transfer$ resumes from the given position", async () => {
  const { event$, ranges, notes } = run([restResponse(8)], { position: POSITION });
  assertEquals(counts(await allUpdates(event$)), [8, TEXT.length]);
  assertEquals(ranges, ["bytes=8-"]);
  assertEquals(notes, [TEXT.slice(8), "[close]"]);
});

Deno.test("transfer$ of an archive that the sink has in full sends a request and closes the sink", async () => {
  const { length } = TEXT;
  const unsatisfiable = () =>
    new Response(null, {
      status: 416,
      headers: { "Content-Range": `bytes */${length}`, ...TAG },
    });
  const { event$, notes } = run([unsatisfiable], {
    position: { loaded: length, total: length, etag: '"a"' },
  });
  assertEquals(await allUpdates(event$), [
    { type: "loaded", loaded: length, total: length, etag: '"a"', announcedTotal: length },
  ]);
  assertEquals(notes, ["[close]"]);
});

Deno.test("transfer$ of an archive that the sink has in full completes if the server ignores the range", async () => {
  const { length } = TEXT;
  const { event$, notes } = run([completeResponse()], {
    position: { loaded: length, total: length, etag: '"a"' },
  });
  assertEquals(counts(await allUpdates(event$)), [length]);
  assertEquals(notes, ["[close]"]);
});

Deno.test("transfer$ does not write bytes again if the server ignores the range", async () => {
  const { event$, notes } = run([completeResponse()], { position: POSITION });
  assertEquals(counts(await allUpdates(event$)), [8, TEXT.length]);
  assertEquals(notes, [TEXT.slice(8), "[close]"]);
});

for (
  const [what, position, response] of [
    ["of another archive", POSITION, completeResponse("quite another archive", { "ETag": '"b"' })],
    ["without an entity tag", { ...POSITION, etag: undefined }, completeResponse()],
  ] as const
) {
  Deno.test(`transfer$ restarts the sink once for a position in the bytes ${what}`, async () => {
    const { event$, notes } = run([response], { position, sink: restartableSink });
    assertEquals(counts(await allUpdates(event$)).at(0), 0);
    assertEquals(notes, ["[restart]", await response().text(), "[close]"]);
  });

  Deno.test(`transfer$ is interrupted for a position in the bytes ${what} if the sink cannot restart`, async () => {
    const { event$, notes } = run([response], { position });
    const error = await assertRejects(() => allUpdates(event$), DownloadInterruptedError);
    assertEquals([error.loaded, error.total], [8, TEXT.length]);
    assertEquals(notes, ["[abort: DownloadInterruptedError]"]);
  });
}

Deno.test("transfer$ restarts a sink only after all its writes", async () => {
  const accepting = Promise.withResolvers<void>();
  const requested = Promise.withResolvers<void>();
  const again = () => {
    requested.resolve();
    return completeResponse(TEXT, {})();
  };
  const { event$, notes } = run([interruptedResponse(8, {}), again], {
    sink: (notes) => ({
      // Has room for two chunks, so that the transfer does not wait for the first.
      writable: new WritableStream({
        write: async () => {
          await accepting.promise;
          notes.push("[written]");
        },
      }, { highWaterMark: 2 }),
      restart: () => Promise.resolve(void notes.push("[restart]")),
    }),
  });
  const done = allUpdates(event$);
  await requested.promise;
  accepting.resolve();
  await done;
  assertEquals(notes, ["[written]", "[restart]", "[written]"]);
});

/** A sink that can restart, and that records its archives too. */
function identityRecordingSink(notes: string[]): ArchiveSink {
  return {
    ...restartableSink(notes),
    begin: async ({ etag, total }) => {
      await Promise.resolve();
      notes.push(`[begin ${etag} ${total}]`);
    },
  };
}

Deno.test("transfer$ calls begin once before the first byte, even if it resumes", async () => {
  const { event$, notes } = run([interruptedResponse(8), restResponse(8)], {
    sink: identityRecordingSink,
  });
  await allUpdates(event$);
  const begin = `[begin "a" ${TEXT.length}]`;
  assertEquals(notes, [begin, TEXT.slice(0, 8), TEXT.slice(8), "[close]"]);
});

Deno.test("transfer$ calls begin before it resumes from a position", async () => {
  const { event$, notes } = run([restResponse(8)], {
    position: POSITION,
    sink: identityRecordingSink,
  });
  await allUpdates(event$);
  assertEquals(notes, [`[begin "a" ${TEXT.length}]`, TEXT.slice(8), "[close]"]);
});

Deno.test("transfer$ calls begin with the new archive after a restart", async () => {
  const other = "quite another archive";
  const { event$, notes } = run([
    interruptedResponse(8),
    completeResponse(other, { "ETag": '"b"' }),
  ], {
    sink: identityRecordingSink,
  });
  await allUpdates(event$);
  assertEquals(notes, [
    `[begin "a" ${TEXT.length}]`,
    TEXT.slice(0, 8),
    "[restart]",
    `[begin "b" ${other.length}]`,
    other,
    "[close]",
  ]);
});

Deno.test("transfer$ calls begin with the same archive after a restart", async () => {
  const { event$, notes } = run([interruptedResponse(8, {}), completeResponse(TEXT, {})], {
    sink: identityRecordingSink,
  });
  await allUpdates(event$);
  const begin = `[begin undefined ${TEXT.length}]`;
  assertEquals(notes, [begin, TEXT.slice(0, 8), "[restart]", begin, TEXT, "[close]"]);
});

Deno.test("transfer$ calls begin again when a later response has the length", async () => {
  const unmeasured = bodyResponse(ARCHIVE.slice(0, 8_000));
  const { event$, notes } = run([
    unmeasured,
    bodyResponse(ARCHIVE, { ...TAG, "Content-Length": "20000" }),
  ], { sink: identityRecordingSink });
  await allUpdates(event$);
  assertEquals(notes.filter((note) => note.startsWith("[")), [
    '[begin "a" undefined]',
    '[begin "a" 20000]',
    "[close]",
  ]);
});

Deno.test("transfer$ writes nothing if begin fails", async () => {
  const full = new Error("disk full");
  const { event$, notes } = run([completeResponse()], {
    sink: (notes) => ({ ...recordingSink(notes), begin: () => Promise.reject(full) }),
  });
  const error = await assertRejects(() => allUpdates(event$), SinkError);
  assertEquals(error.cause === full, true);
  assertEquals(notes, ["[abort: HpcaiError]"]);
});

Deno.test("transfer$ fails with the error of a restart that fails", async () => {
  const locked = new Error("the file is locked");
  const { event$, notes } = run([interruptedResponse(8, {}), completeResponse()], {
    sink: (notes) => ({ ...recordingSink(notes), restart: () => Promise.reject(locked) }),
  });
  const error = await assertRejects(() => allUpdates(event$), SinkError);
  assertEquals(error.cause === locked, true);
  assertEquals(notes, [TEXT.slice(0, 8), "[abort: HpcaiError]"]);
});

Deno.test("transfer$ does not retry a response that exceeds its own length", async () => {
  const { event$, ranges } = run([completeResponse(TEXT, { ...TAG, "Content-Length": "8" })]);
  const error = await assertRejects(() => allUpdates(event$), DownloadInterruptedError);
  assertEquals([error.loaded, error.total], [TEXT.length, 8]);
  assertEquals(ranges.length, 1);
});

Deno.test("transfer$ fails with the error status that follows an interruption", async () => {
  const { event$, notes } = run([interruptedResponse(8), statusResponse(500)], {
    retry: { maxRetries: 1, initialDelayMs: 0 },
  });
  assertInstanceOf(await assertRejects(() => allUpdates(event$)), InternalServerError);
  assertEquals(notes.at(-1), "[abort: InternalServerError]");
});

Deno.test("transfer$ resumes after a silence of idleTimeoutMs", async () => {
  using time = new FakeTime();
  const silent = Promise.withResolvers<void>();
  const { event$, ranges, notes } = run([
    () => {
      let isSent = false;
      return new Response(
        new ReadableStream<Uint8Array>({
          pull: (controller) => {
            if (isSent) return silent.resolve();
            isSent = true;
            controller.enqueue(new TextEncoder().encode(TEXT.slice(0, 8)));
          },
        }, { highWaterMark: 0 }),
        { headers: { "Content-Length": String(TEXT.length), ...TAG } },
      );
    },
    restResponse(8),
  ]);
  const done = allUpdates(event$);
  await silent.promise;
  await time.tickAsync(999);
  assertEquals(ranges.length, 1);
  await time.tickAsync(1);
  await time.tickAsync(1);
  await done;
  assertEquals(ranges, [null, "bytes=8-"]);
  assertEquals(notes, [TEXT.slice(0, 8), TEXT.slice(8), "[close]"]);
});

for (const status of [425, 503]) {
  Deno.test(`transfer$ sends the request again after the Retry-After of a ${status}`, async () => {
    using time = new FakeTime();
    const { event$, ranges } = run([
      statusResponse(status, { "Retry-After": "30" }),
      completeResponse(),
    ]);
    const preparation = Promise.withResolvers<TransferUpdate>();
    const done = Promise.withResolvers<void>();
    event$.subscribe({ next: preparation.resolve, complete: done.resolve });
    assertEquals(await preparation.promise, { type: "preparing", retryInMs: 30_000 });
    await time.tickAsync(29_999);
    assertEquals(ranges.length, 1);
    await time.tickAsync(1);
    await done.promise;
    assertEquals(ranges.length, 2);
  });
}

Deno.test("transfer$ that is unsubscribed while the server builds the archive sends no more and aborts the sink", async () => {
  using time = new FakeTime();
  const { event$, ranges, notes } = run([statusResponse(503, { "Retry-After": "1" })]);
  const preparation = Promise.withResolvers<void>();
  const subscription = event$.subscribe(() => preparation.resolve());
  await preparation.promise;
  subscription.unsubscribe();
  await time.tickAsync(10_000);
  assertEquals(ranges.length, 1);
  assertEquals(notes, ["[abort: AbortError]"]);
});

Deno.test("transfer$ fails with the status of a server that builds the archive for too long", async () => {
  using time = new FakeTime();
  const { event$, ranges } = run([statusResponse(503, { "Retry-After": "30" })]);
  const preparations: TransferUpdate[] = [];
  const failed = Promise.withResolvers<unknown>();
  event$.subscribe({ next: (event) => preparations.push(event), error: failed.resolve });
  for (let waits = 0; waits < 3; waits++) {
    await time.tickAsync(0);
    await time.tickAsync(30_000);
  }
  const error = await failed.promise;
  assert(error instanceof InternalServerError);
  assertEquals([error.status, error.retryAfterMs], [503, 30_000]);
  assertEquals(preparations.length, 2);
  assertEquals(ranges.length, 3);
});

/** A real archive of 20 000 bytes, and another one. */
const [ARCHIVE, OTHER] = ["a", "b"].map((name) =>
  new LoraArchive({ byteLength: 20_000, name, baseModel: "m", rank: 1, mtime: 0 })
    .slice(0, 20_000)
) as [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>];

/** Bytes without an announced length, and without an error at their end. */
function bodyResponse(bytes: Uint8Array<ArrayBuffer>, headers: Record<string, string> = TAG) {
  return () => new Response(bytes, { headers });
}

/** A range of the archive, with this total. */
function rangeResponse(
  start: number,
  end: number,
  total: number,
  headers: Record<string, string> = TAG,
) {
  const range = `bytes ${start}-${end - 1}/${total}`;
  return () =>
    new Response(ARCHIVE.slice(start, end), {
      status: 206,
      headers: { "Content-Range": range, ...headers },
    });
}

/** Transfers into memory; resolves to the bytes and the updates. */
async function transferToMemory(responses: readonly (() => Response)[], options: RunOptions = {}) {
  const sink = memorySink();
  const { event$, ranges } = run(responses, { sink: () => sink, ...options });
  const events = await allUpdates(event$);
  const restarts = events.flatMap((event) => event.type === "restart" ? [event.reason] : []);
  return { bytes: sink.takeBody(), events, ranges, restarts };
}

Deno.test("transfer$ resumes a body without a length that ends before its archive does", async () => {
  const { bytes, ranges, restarts } = await transferToMemory([
    bodyResponse(ARCHIVE.slice(0, 8_000)),
    rangeResponse(8_000, 20_000, 20_000),
  ]);
  assertEquals(bytes, ARCHIVE);
  assertEquals(ranges, [null, "bytes=8000-"]);
  assertEquals(restarts, []);
});

Deno.test("transfer$ resumes a body without a length into a stream that cannot be read again", async () => {
  const written: Uint8Array[] = [];
  const { event$, ranges } = run([
    bodyResponse(ARCHIVE.slice(0, 8_000)),
    rangeResponse(8_000, 20_000, 20_000),
  ], {
    sink: () => ({
      writable: new WritableStream({ write: (chunk) => void written.push(chunk) }),
      chunks: "kept",
    }),
  });
  await allUpdates(event$);
  assertEquals(new Uint8Array(await new Blob(written as BlobPart[]).arrayBuffer()), ARCHIVE);
  assertEquals(ranges, [null, "bytes=8000-"]);
});

Deno.test("transfer$ restarts with a reason if a body without a length has no entity tag", async () => {
  const { bytes, restarts, events } = await transferToMemory([
    bodyResponse(ARCHIVE.slice(0, 8_000), {}),
    bodyResponse(ARCHIVE, {}),
  ]);
  assertEquals(bytes, ARCHIVE);
  assertEquals(restarts, ["not-resumable"]);
  const loaded = counts(events);
  const restart = events.findIndex(({ type }) => type === "restart");
  assertEquals(counts(events.slice(0, restart)), loaded.slice(0, 2));
  assertEquals(loaded, [0, 8_000, 0, 20_000]);
});

Deno.test("transfer$ completes a body without a length once its gzip and tar have ended", async () => {
  const { bytes, ranges } = await transferToMemory([bodyResponse(ARCHIVE)]);
  assertEquals(bytes, ARCHIVE);
  assertEquals(ranges.length, 1);
});

for (const cutAt of [1, 10, 19_990, 19_999]) {
  Deno.test(`transfer$ restarts a body without a length that ends after ${cutAt} of 20000 bytes`, async () => {
    const { bytes } = await transferToMemory([
      bodyResponse(ARCHIVE.slice(0, cutAt), {}),
      bodyResponse(ARCHIVE, {}),
    ]);
    assertEquals(bytes, ARCHIVE);
  });
}

Deno.test("transfer$ follows a tar that fetch has decompressed to the tar's end", async () => {
  const gunzip = new DecompressionStream("gzip");
  const tar = new Uint8Array(
    await new Response(new Blob([ARCHIVE]).stream().pipeThrough(gunzip)).arrayBuffer(),
  );
  const headers = { "Content-Encoding": "gzip", "Content-Length": "20000", ...TAG };
  const { bytes, restarts } = await transferToMemory([
    bodyResponse(tar.slice(0, 9_000), headers),
    bodyResponse(tar, headers),
  ]);
  assertEquals(bytes, tar);
  assertEquals(restarts, ["not-resumable"]);
});

Deno.test("transfer$ keeps a length as long as the entity tag is the same", async () => {
  const announced = { "Content-Length": "20000", ...TAG };
  const { bytes, events, ranges } = await transferToMemory([
    bodyResponse(ARCHIVE.slice(0, 5_000), announced),
    bodyResponse(ARCHIVE.slice(0, 10_000)),
    rangeResponse(10_000, 20_000, 20_000),
  ]);
  assertEquals(bytes, ARCHIVE);
  assertEquals(ranges, [null, "bytes=5000-", "bytes=10000-"]);
  const totals = events.flatMap((event) => event.type === "loaded" ? [event.total] : []);
  assertEquals(new Set(totals), new Set([20_000]));
});

Deno.test("transfer$ treats another length under the same entity tag as another archive", async () => {
  const { bytes, restarts } = await transferToMemory([
    bodyResponse(ARCHIVE.slice(0, 5_000), { "Content-Length": "20000", ...TAG }),
    bodyResponse(ARCHIVE.slice(0, 10_000), { "Content-Length": "10000", ...TAG }),
  ]);
  assertEquals(bytes, ARCHIVE.slice(0, 10_000));
  assertEquals(restarts, ["archive-changed"]);
});

Deno.test("transfer$ does not accept a range whose length ends before the archive does", async () => {
  const { bytes, restarts, ranges } = await transferToMemory([
    bodyResponse(ARCHIVE.slice(0, 8_000)),
    rangeResponse(8_000, 12_000, 12_000),
    bodyResponse(ARCHIVE),
  ]);
  assertEquals(bytes, ARCHIVE);
  assertEquals(ranges, [null, "bytes=8000-", null]);
  assertEquals(restarts, ["archive-damaged"]);
});

Deno.test("transfer$ does not accept a 416 before the end of the archive", async () => {
  const unsatisfiable = () =>
    new Response(null, { status: 416, headers: { "Content-Range": "bytes */8000", ...TAG } });
  const { bytes, restarts } = await transferToMemory([
    bodyResponse(ARCHIVE.slice(0, 8_000)),
    unsatisfiable,
    bodyResponse(ARCHIVE),
  ]);
  assertEquals(bytes, ARCHIVE);
  assertEquals(restarts, ["archive-damaged"]);
});

Deno.test("transfer$ reads a capped range to its end and requests the next", async () => {
  const { bytes, ranges } = await transferToMemory([
    bodyResponse(ARCHIVE.slice(0, 8_000)),
    rangeResponse(8_000, 12_000, 20_000),
    rangeResponse(12_000, 20_000, 20_000),
  ]);
  assertEquals(bytes, ARCHIVE);
  assertEquals(ranges, [null, "bytes=8000-", "bytes=12000-"]);
});

Deno.test("transfer$ drops bytes after the end of a range", async () => {
  const range = { "Content-Range": "bytes 8000-11999/20000", ...TAG };
  const { bytes, ranges } = await transferToMemory([
    bodyResponse(ARCHIVE.slice(0, 8_000), { "Content-Length": "20000", ...TAG }),
    () => new Response(ARCHIVE.slice(8_000, 15_000).reverse(), { status: 206, headers: range }),
    rangeResponse(12_000, 20_000, 20_000),
  ]);
  assertEquals(ranges, [null, "bytes=8000-", "bytes=12000-"]);
  assertEquals(bytes.slice(12_000), ARCHIVE.slice(12_000));
});

Deno.test("transfer$ restarts if the bytes of two responses do not form an archive", async () => {
  const { bytes, restarts } = await transferToMemory([
    // The same tag for other bytes, which differ only in the weights.
    bodyResponse(OTHER.slice(0, 15_000)),
    rangeResponse(15_000, 20_000, 20_000),
    bodyResponse(ARCHIVE),
  ]);
  assertEquals(bytes, ARCHIVE);
  assertEquals(restarts, ["archive-damaged"]);
});

Deno.test("transfer$ fails with an InvalidArchiveError if the archive ends twice at the same byte", async () => {
  const { event$, ranges } = run([bodyResponse(ARCHIVE.slice(0, 8_000), {})], {
    sink: restartableSink,
  });
  await assertRejects(() => allUpdates(event$), InvalidArchiveError);
  assertEquals(ranges.length, 2);
});

for (
  const [what, body] of [
    ["text", new TextEncoder().encode("quota exceeded")],
    ["zeros", new Uint8Array(20_000)],
    ["noise", new Uint8Array(4_096).map((_, index) => index * 7)],
  ] as const
) {
  Deno.test(`transfer$ rejects a body without a length that is ${what}, without another request`, async () => {
    const { event$, ranges, notes } = run([bodyResponse(body)], { sink: restartableSink });
    await assertRejects(() => allUpdates(event$), InvalidArchiveError);
    assertEquals(ranges.length, 1);
    assertEquals(notes.at(-1), "[abort: InvalidArchiveError]");
  });
}

Deno.test("transfer$ resumes after an outage of four minutes, and fails after one of more than five", async () => {
  for (const [outageMs, isResumed] of [[240_000, true], [330_000, false]] as const) {
    using time = new FakeTime(0);
    const respond = () => Date.now() < outageMs ? Response.error() : restResponse(8)();
    const { event$ } = run([interruptedResponse(8), respond], { retry: {} });
    let outcome: unknown;
    event$.subscribe({
      error: (error) => outcome = error,
      complete: () => outcome = "complete",
    });
    for (let s = 0; s < 350 && outcome === undefined; s++) await time.tickAsync(1_000);
    if (isResumed) assertEquals(outcome, "complete");
    else assertInstanceOf(outcome, DownloadInterruptedError);
  }
});

Deno.test("transfer$ retries an archive without a byte for no longer than a call", async () => {
  using time = new FakeTime(0);
  const { event$ } = run([() => Response.error()], { retry: {} });
  let outcome: unknown;
  event$.subscribe({ error: (error) => outcome = error });
  await time.tickAsync(0);
  for (let ms = 0; ms < 29_000; ms += 100) await time.tickAsync(100);
  assertEquals(outcome, undefined);
  for (let ms = 0; ms < 2_000; ms += 100) await time.tickAsync(100);
  assertInstanceOf(outcome, ApiConnectionError);
});

Deno.test("transfer$ rejects an archive whose announced length exceeds maxBytes before its first byte", async () => {
  const { event$, notes } = run([completeResponse()], { maxBytes: TEXT.length - 1 });
  const error = await assertRejects(() => allUpdates(event$), LimitExceededError);
  assertEquals([error.option, error.limit], ["maxBytes", TEXT.length - 1]);
  assertEquals(notes, ["[abort: LimitExceededError]"]);
});

Deno.test("transfer$ fails at the byte of an archive of unknown length that exceeds maxBytes", async () => {
  const { event$ } = run([bodyResponse(ARCHIVE)], { maxBytes: 19_999 });
  await assertRejects(() => allUpdates(event$), LimitExceededError);
  const { event$: fitting$ } = run([bodyResponse(ARCHIVE)], { maxBytes: 20_000 });
  assertEquals(counts(await allUpdates(fitting$)).at(-1), 20_000);
});

Deno.test("transfer$ fails below minBytesPerSecond, and not at it", async () => {
  for (const [minBytesPerSecond, isAccepted] of [[11, false], [10, true]] as const) {
    using time = new FakeTime(0);
    let sent = 0;
    // One byte per 100 ms: never idle, 10 bytes per second.
    const drip = () =>
      new Response(
        new ReadableStream<Uint8Array>({
          async pull(controller) {
            await new Promise((resolve) => setTimeout(resolve, 100));
            controller.enqueue(new TextEncoder().encode(TEXT.charAt(sent++)));
            if (sent === TEXT.length) controller.close();
          },
        }, { highWaterMark: 0 }),
        { headers: { "Content-Length": String(TEXT.length), ...TAG } },
      );
    const { event$ } = run([drip], { minBytesPerSecond });
    let outcome: unknown;
    event$.subscribe({
      error: (error) => outcome = error,
      complete: () => outcome = "complete",
    });
    for (let ticks = 0; ticks < 100 && outcome === undefined; ticks++) await time.tickAsync(25);
    if (isAccepted) {
      assertEquals(outcome, "complete");
    } else {
      assertInstanceOf(outcome, TransferTooSlowError);
      assertEquals(Math.round(outcome.bytesPerSecond), 10);
    }
  }
});

Deno.test("transfer$ that is unsubscribed aborts the request of its body", async () => {
  let signal: AbortSignal | null | undefined;
  const transport = createTransport({
    apiKey: "k",
    fetch: (_input, init) => {
      signal = init?.signal;
      return Promise.resolve(new Response(new ReadableStream(), { headers: TAG }));
    },
  });
  const opened = Promise.withResolvers<void>();
  const subscription = lockSink$(
    memorySink(),
    (sink) => transfer$(transport, CHECKPOINT, sink, SETTINGS),
  ).subscribe(() => opened.resolve());
  await opened.promise;
  assertEquals(signal?.aborted, false);
  subscription.unsubscribe();
  assertEquals(signal?.aborted, true);
});
