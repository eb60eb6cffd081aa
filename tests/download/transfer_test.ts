import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { lastValueFrom, type Observable, toArray } from "rxjs";
import type { ArchiveSink } from "../../src/download/archive_sink.ts";
import { transfer$, type TransferEvent } from "../../src/download/transfer.ts";
import type { TransferOptions } from "../../src/download/transfer_options.ts";
import { DownloadInterruptedError, InternalServerError } from "../../src/errors.ts";
import type { RestClientOptions } from "../../src/options.ts";
import { createTransport } from "../../src/transport/transport.ts";

const CHECKPOINT = { trainingRunId: "run", checkpointId: "final" };
const TEXT = "the bytes of an archive";
const TAG = { "ETag": '"a"' };
/** Eight bytes, `the byte`, are there. */
const POSITION = { loaded: 8, total: TEXT.length, etag: '"a"' };

/** What happens in a run: the requests, and what becomes of the sink. */
interface Run {
  readonly event$: Observable<TransferEvent>;
  readonly ranges: readonly (string | null)[];
  readonly notes: readonly string[];
}

interface RunOptions extends Partial<TransferOptions> {
  readonly retry?: RestClientOptions["retry"];
  readonly sink?: (notes: string[]) => ArchiveSink;
}

/** A sink that notes what happens to it. */
function notedSink(notes: string[]): ArchiveSink {
  return {
    writable: new WritableStream({
      write: (chunk) => void notes.push(new TextDecoder().decode(chunk)),
      close: () => void notes.push("[close]"),
      abort: (reason) => void notes.push(`[abort: ${reason.name}]`),
    }),
  };
}

/** One that can be emptied. */
function emptiedSink(notes: string[]): ArchiveSink {
  return { ...notedSink(notes), restart: () => void notes.push("[restart]") };
}

/** Answers the first request with the first response and so on, and the last one for ever. */
function run(responses: readonly (() => Response)[], options: RunOptions = {}): Run {
  const {
    retry = { initialDelayMs: 0, maxDelayMs: 0 },
    sink = notedSink,
    ...transferOptions
  } = options;
  const ranges: (string | null)[] = [];
  const notes: string[] = [];
  const transport = createTransport({
    apiKey: "k",
    retry,
    fetch: (_input, init) => {
      const response = responses[Math.min(ranges.length, responses.length - 1)];
      ranges.push(new Headers(init?.headers).get("Range"));
      return Promise.resolve(response?.() ?? new Response(null, { status: 404 }));
    },
  });
  const event$ = transfer$(transport, CHECKPOINT, sink(notes), {
    idleTimeoutMs: 1000,
    prepareTimeoutMs: 60_000,
    ...transferOptions,
  });
  return { event$, ranges, notes };
}

function whole(text = TEXT, headers: Record<string, string> = TAG): () => Response {
  return () =>
    new Response(text, { headers: { "Content-Length": String(text.length), ...headers } });
}

/** The archive up to `end`, then the connection breaks. */
function cut(end: number, headers: Record<string, string> = TAG): () => Response {
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

function rest(start: number): () => Response {
  const range = `bytes ${start}-${TEXT.length - 1}/${TEXT.length}`;
  const headers = { "Content-Range": range, ...TAG };
  return () => new Response(TEXT.slice(start), { status: 206, headers });
}

function preparing(status: number, headers: Record<string, string> = {}): () => Response {
  return () => new Response(null, { status, headers });
}

function all(event$: Observable<TransferEvent>): Promise<TransferEvent[]> {
  return lastValueFrom(event$.pipe(toArray()));
}

/** The counts that the events say. */
function counts(events: readonly TransferEvent[]): number[] {
  return events.flatMap((event) => event.type === "loaded" ? [event.loaded] : []);
}

Deno.test("a transfer goes on from the position that it is given", async () => {
  const { event$, ranges, notes } = run([rest(8)], { position: POSITION });
  assertEquals(counts(await all(event$)), [8, TEXT.length]);
  assertEquals(ranges, ["bytes=8-"]);
  assertEquals(notes, [TEXT.slice(8), "[close]"]);
});

Deno.test("a transfer of which all is there asks, closes the sink and says so", async () => {
  const { length } = TEXT;
  const unsatisfiable = () =>
    new Response(null, { status: 416, headers: { "Content-Range": `bytes */${length}` } });
  const { event$, notes } = run([unsatisfiable], {
    position: { loaded: length, total: undefined, etag: '"a"' },
  });
  assertEquals(await all(event$), [{ type: "loaded", loaded: length, total: length, etag: '"a"' }]);
  assertEquals(notes, ["[close]"]);
});

Deno.test("a transfer of which all is there says so too where the server ignores the range", async () => {
  const { length } = TEXT;
  const { event$, notes } = run([whole()], {
    position: { loaded: length, total: length, etag: '"a"' },
  });
  assertEquals(counts(await all(event$)), [length]);
  assertEquals(notes, ["[close]"]);
});

Deno.test("bytes that are there are not written again where the server ignores the range", async () => {
  const { event$, notes } = run([whole()], { position: POSITION });
  assertEquals(counts(await all(event$)), [8, TEXT.length]);
  assertEquals(notes, [TEXT.slice(8), "[close]"]);
});

for (
  const [what, position, response] of [
    ["of another archive", POSITION, whole("quite another archive", { "ETag": '"b"' })],
    ["of nobody knows which archive", { ...POSITION, etag: undefined }, whole()],
  ] as const
) {
  Deno.test(`a position in the bytes ${what} empties the sink once`, async () => {
    const { event$, notes } = run([response], { position, sink: emptiedSink });
    assertEquals(counts(await all(event$)).at(0), 0);
    assertEquals(notes, ["[restart]", await response().text(), "[close]"]);
  });

  Deno.test(`a position in the bytes ${what} is an interruption where the sink cannot be emptied`, async () => {
    const { event$, notes } = run([response], { position });
    const error = await assertRejects(() => all(event$), DownloadInterruptedError);
    assertEquals([error.loaded, error.total], [8, TEXT.length]);
    assertEquals(notes, ["[abort: DownloadInterruptedError]"]);
  });
}

Deno.test("a sink is emptied only when it has taken what it was given", async () => {
  const taking = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const again = () => {
    asked.resolve();
    return whole(TEXT, {})();
  };
  const { event$, notes } = run([cut(8, {}), again], {
    sink: (notes) => ({
      // Takes one chunk ahead, so that the transfer does not wait for the first.
      writable: new WritableStream({
        write: async () => {
          await taking.promise;
          notes.push("[written]");
        },
      }, { highWaterMark: 2 }),
      restart: () => void notes.push("[restart]"),
    }),
  });
  const done = all(event$);
  await asked.promise;
  taking.resolve();
  await done;
  assertEquals(notes, ["[written]", "[restart]", "[written]"]);
});

Deno.test("a sink that cannot be emptied after all ends the transfer with its own error", async () => {
  const locked = new Error("the file is locked");
  const { event$, notes } = run([cut(8, {}), whole()], {
    sink: (notes) => ({ ...notedSink(notes), restart: () => Promise.reject(locked) }),
  });
  assertEquals(await assertRejects(() => all(event$)), locked);
  assertEquals(notes, [TEXT.slice(0, 8), "[abort: Error]"]);
});

Deno.test("what the server sends past its own length is an interruption that is not tried again", async () => {
  const { event$, ranges } = run([whole(TEXT, { ...TAG, "Content-Length": "8" })]);
  const error = await assertRejects(() => all(event$), DownloadInterruptedError);
  assertEquals([error.loaded, error.total], [TEXT.length, 8]);
  assertEquals(ranges.length, 1);
});

Deno.test("a server's error after the cut surfaces as it is", async () => {
  const { event$, notes } = run([cut(8), preparing(500)], {
    retry: { maxRetries: 1, initialDelayMs: 0 },
  });
  assertInstanceOf(await assertRejects(() => all(event$)), InternalServerError);
  assertEquals(notes.at(-1), "[abort: InternalServerError]");
});

Deno.test("a silence is gone on with after idleTimeoutMs", async () => {
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
    rest(8),
  ]);
  const done = all(event$);
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
  Deno.test(`a server that builds the archive, as ${status} says, is asked again when it says`, async () => {
    using time = new FakeTime();
    const { event$, ranges } = run([preparing(status, { "Retry-After": "30" }), whole()]);
    const preparation = Promise.withResolvers<TransferEvent>();
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

Deno.test("unsubscribing while the server builds the archive asks no more and aborts the sink", async () => {
  using time = new FakeTime();
  const { event$, ranges, notes } = run([preparing(503, { "Retry-After": "1" })]);
  const preparation = Promise.withResolvers<void>();
  const subscription = event$.subscribe(() => preparation.resolve());
  await preparation.promise;
  subscription.unsubscribe();
  await time.tickAsync(10_000);
  assertEquals(ranges.length, 1);
  assertEquals(notes, ["[abort: AbortError]"]);
});

Deno.test("a server that builds the archive for too long is given up with its own error", async () => {
  using time = new FakeTime();
  const { event$, ranges } = run([preparing(503, { "Retry-After": "30" })]);
  const preparations: TransferEvent[] = [];
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
