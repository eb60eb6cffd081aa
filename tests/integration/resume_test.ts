import { assert, assertEquals, assertRejects } from "@std/assert";
import { ApiStatusError, DownloadInterruptedError, RestClient, type RetryOptions } from "@hpcai/rx";
import { FakeHpcai } from "@hpcai/rx/testing";
import { lastValueFrom, toArray } from "rxjs";
import type { DownloadEvent } from "../../src/download/download_event.ts";
import {
  answer,
  ARCHIVE,
  chunked,
  ETAG,
  OTHER_ARCHIVE,
  rest,
  serveArchive,
  unsatisfiable,
  whole,
} from "./archive_server.ts";
import { serve } from "./loopback_server.ts";
import type { RawAnswer } from "./raw_server.ts";

const apiKey = "key-7d1f";
const checkpoint = { trainingRunId: "run", checkpointId: "final" };
const idleTimeoutMs = 300;

function clientOf(baseUrl: string, retry: Partial<RetryOptions> = {}): RestClient {
  return new RestClient({
    apiKey,
    baseUrl,
    retry: { initialDelayMs: 0, maxDelayMs: 0, ...retry },
  });
}

/** Downloads into memory. */
async function intoMemory(client: RestClient) {
  const events = await lastValueFrom(
    client.download$(checkpoint, { idleTimeoutMs, progressIntervalMs: 0 }).pipe(toArray()),
  );
  const last = events.at(-1);
  return { received: last?.type === "complete" ? last.body : undefined, events };
}

/** Downloads into a stream, which cannot take back what it got. */
async function intoStream(client: RestClient) {
  const { readable, writable: to } = new TransformStream<Uint8Array, Uint8Array<ArrayBuffer>>();
  const [events, received] = await Promise.all([
    lastValueFrom(
      client.download$(checkpoint, { to, idleTimeoutMs, progressIntervalMs: 0 }).pipe(toArray()),
    ),
    new Response(readable).bytes(),
  ]);
  return { received, events };
}

/** How many bytes the events say there are. */
function counts(events: readonly DownloadEvent[]): number[] {
  return events.map(({ loaded }) => loaded);
}

const stalled = (sent: number): RawAnswer =>
  answer(
    "200 OK",
    [`Content-Length: ${ARCHIVE.byteLength}`, ETAG],
    ARCHIVE.slice(0, sent),
    (connection) => connection.closedByClient(),
  );

const FROM_500 = 'bytes=500- if "a"';

const mended: readonly (readonly [
  what: string,
  answers: readonly RawAnswer[],
  asked: readonly string[],
])[] = [
  ["cut before the headers", [(connection) => connection.end(), whole()], ["all", "all"]],
  [
    "cut within the headers",
    [async (connection) => {
      await connection.write("HTTP/1.1 200 OK\r\nContent-Le");
      await connection.end();
    }, whole()],
    ["all", "all"],
  ],
  ["cut after the headers", [whole(0, ETAG), whole()], ["all", "all"]],
  ["cut in the middle", [whole(500, ETAG), rest(500)], ["all", FROM_500]],
  [
    "cut one byte before the end",
    [whole(999, ETAG), rest(999)],
    ["all", 'bytes=999- if "a"'],
  ],
  ["cut exactly at the end of the announced length", [whole(1000, ETAG)], ["all"]],
  [
    "cut exactly at the end of an unknown length",
    [chunked(1000), unsatisfiable(1000, ETAG)],
    ["all", 'bytes=1000- if "a"'],
  ],
  ["cut without an announced length", [chunked(500), rest(500)], ["all", FROM_500]],
  ["without an announced length", [chunked(1000, { isEnded: true })], ["all"]],
  ["cut again and again", [
    whole(500, ETAG),
    rest(500, { sent: 501 }),
    (connection) => connection.end(),
    rest(501, { sent: 501 }),
    rest(501),
  ], ["all", FROM_500, 'bytes=501- if "a"', 'bytes=501- if "a"', 'bytes=501- if "a"']],
  ["that goes silent", [stalled(500), rest(500)], ["all", FROM_500]],
  ["that goes silent after the headers", [stalled(0), whole()], ["all", "all"]],
  [
    "whose rest comes in smaller parts than asked for",
    [whole(300, ETAG), rest(300, { end: 600 }), rest(600, { end: 999 }), rest(999)],
    ["all", 'bytes=300- if "a"', 'bytes=600- if "a"', 'bytes=999- if "a"'],
  ],
  [
    "whose rest has no entity tag of its own",
    [whole(500, ETAG), rest(500, { headers: [] }), whole(1000, ETAG)],
    ["all", FROM_500, "all"],
  ],
  ["from a server that ignores Range", [whole(500, ETAG), whole(1000, ETAG)], ["all", FROM_500]],
  [
    "from a server that ignores Range and is cut before and after the byte that was reached",
    [whole(500, ETAG), whole(200, ETAG), whole(700, ETAG), whole(1000, ETAG)],
    ["all", FROM_500, FROM_500, 'bytes=700- if "a"'],
  ],
  [
    "from a server that ignores Range and ends before the byte that was reached",
    [
      whole(500, ETAG),
      answer("200 OK", [ETAG], ARCHIVE.slice(0, 300)),
      rest(500),
    ],
    ["all", FROM_500, FROM_500],
  ],
  [
    "whose rest begins elsewhere",
    [whole(500, ETAG), rest(400, { headers: [ETAG] }), whole(1000, ETAG)],
    ["all", FROM_500, "all"],
  ],
  [
    "whose rest is that of another length",
    [whole(500, ETAG), rest(500, { range: "bytes 500-999/1001" }), whole(1000, ETAG)],
    ["all", FROM_500, "all"],
  ],
  [
    "whose rest is part of an unknown whole",
    [
      chunked(500),
      rest(500, { end: 700, range: "bytes 500-699/*" }),
      chunked(1000, { isEnded: true }),
    ],
    ["all", FROM_500, "all"],
  ],
  [
    "whose rest does not say where it begins",
    [whole(500, ETAG), rest(500, { range: "none" }), whole(1000, ETAG)],
    ["all", FROM_500, "all"],
  ],
  [
    "whose rest is that of another archive",
    [whole(500, ETAG), rest(500, { headers: ['ETag: "b"'] }), whole(1000, ETAG)],
    ["all", FROM_500, "all"],
  ],
  [
    "whose rest has a content coding",
    [
      whole(500, ETAG),
      rest(500, { headers: [ETAG, "Content-Encoding: gzip"] }),
      whole(1000, ETAG),
    ],
    ["all", FROM_500, "all"],
  ],
  [
    "that has ended elsewhere, as the server says when it is asked for the rest",
    [chunked(500), unsatisfiable(400), whole(1000, ETAG)],
    ["all", FROM_500, "all"],
  ],
  [
    "that has ended there, but is another one",
    [chunked(500), unsatisfiable(500, 'ETag: "b"'), whole(1000, ETAG)],
    ["all", FROM_500, "all"],
  ],
];

for (const [what, answers, asked] of mended) {
  for (const [into, download] of Object.entries({ memory: intoMemory, "a stream": intoStream })) {
    Deno.test(`an archive ${what} arrives in ${into} as it is, without starting over`, async () => {
      await using server = serveArchive(...answers);
      const { received, events } = await download(clientOf(server.url));
      assertEquals(received, ARCHIVE);
      assertEquals(server.asked, asked);
      assertEquals(counts(events), counts(events).toSorted((a, b) => a - b));
      assertEquals(counts(events).at(-1), ARCHIVE.byteLength);
    });
  }
}

const OTHER_WHOLE = answer("200 OK", ["Content-Length: 1000", 'ETag: "b"'], OTHER_ARCHIVE);

const startedOver: readonly (readonly [
  what: string,
  answers: readonly RawAnswer[],
  asked: readonly string[],
  askedForStream: readonly string[],
])[] = [
  [
    "that has become another one",
    [whole(500, ETAG), OTHER_WHOLE],
    ["all", FROM_500],
    ["all", FROM_500],
  ],
  [
    "whose rest is that of another one",
    [whole(500, ETAG), rest(500, { headers: ['ETag: "b"'] }), OTHER_WHOLE],
    ["all", FROM_500, "all"],
    ["all", FROM_500, "all"],
  ],
  ["with a weak entity tag", [whole(500, 'ETag: W/"a"'), OTHER_WHOLE], ["all", "all"], ["all"]],
  [
    "without an entity tag",
    [whole(500, "Last-Modified: Wed, 07 Jan 2026 10:19:18 GMT"), OTHER_WHOLE],
    ["all", "all"],
    ["all"],
  ],
  [
    "without length or entity tag",
    [chunked(500, { headers: [] }), OTHER_WHOLE],
    ["all", "all"],
    ["all"],
  ],
];

for (const [what, answers, asked, askedForStream] of startedOver) {
  Deno.test(`an archive ${what} is started over in memory`, async () => {
    await using server = serveArchive(...answers);
    const { received, events } = await intoMemory(clientOf(server.url));
    assertEquals(received, OTHER_ARCHIVE);
    assertEquals(server.asked, asked);
    assertEquals(counts(events), [0, 500, 0, 0, 1000, 1000]);
    assertEquals(events.at(2)?.type, "restart");
  });

  Deno.test(`an archive ${what} leaves a stream with what it got, aborted`, async () => {
    await using server = serveArchive(...answers);
    const written: number[] = [];
    const aborted = Promise.withResolvers<unknown>();
    const to = new WritableStream<Uint8Array>({
      write: (chunk) => void written.push(...chunk),
      abort: aborted.resolve,
    });
    const error = await assertRejects(
      () => lastValueFrom(clientOf(server.url).download$(checkpoint, { to })),
      DownloadInterruptedError,
    );
    assertEquals(error.loaded, 500);
    assertEquals(await aborted.promise, error);
    assertEquals(written, [...ARCHIVE.slice(0, 500)]);
    assertEquals(server.asked, askedForStream);
  });
}

Deno.test("download$ restarts an archive labelled with a content coding, which it cannot resume", async () => {
  const headers = [ETAG, "Content-Encoding: gzip", `Content-Length: ${ARCHIVE.byteLength}`];
  await using server = serveArchive(
    answer("200 OK", headers, ARCHIVE.slice(0, 500)),
    answer("200 OK", headers, ARCHIVE),
  );
  const { received, events } = await intoMemory(clientOf(server.url));
  assertEquals(received, ARCHIVE);
  assertEquals(server.asked, ["all", "all"]);
  assert(events.every((event) => event.type === "complete" || event.total === undefined));
});

Deno.test("a connection that is reset in the middle is gone on with at the byte that came last", async () => {
  const fake = new FakeHpcai({ archiveBytes: 2_000_000 });
  fake.faults.add({ type: "cut", afterBytes: 1_000_000 }, { on: "archive" });
  await using server = serve(fake.handler);
  const [trainingRunId = ""] = fake.trainingRunIds;
  const [{ checkpointId } = { checkpointId: "" }] = fake.checkpoints(trainingRunId);
  const client = new RestClient({
    apiKey: fake.apiKey,
    baseUrl: server.url,
    retry: { initialDelayMs: 0 },
  });
  const events = await lastValueFrom(
    client.download$({ trainingRunId, checkpointId }, { progressIntervalMs: 0 }).pipe(toArray()),
  );
  const archive = fake.archive(trainingRunId, checkpointId);
  const last = events.at(-1);
  assert(last?.type === "complete");
  assertEquals(last.body, archive.slice());
  const [, resumed] = server.requests;
  const [, start] = /^bytes=(\d+)-$/.exec(resumed?.headers.get("Range") ?? "") ?? [];
  assert(counts(events).includes(Number(start)));
  assertEquals(resumed?.headers.get("If-Range"), archive.etag);
});

/** An API that points to a storage on another port, with another signed URL each time. */
function pointTo(storageUrl: () => string, how: "redirect" | "json") {
  let issued = 0;
  return serve(() => {
    const url = `${storageUrl()}/a.tar.gz?signature=signed-${++issued}`;
    return how === "json"
      ? Response.json({ url })
      : new Response(null, { status: 302, headers: { Location: url } });
  });
}

for (const how of ["redirect", "json"] as const) {
  for (const status of ["403 Forbidden", "401 Unauthorized"]) {
    Deno.test(`a signed URL, as ${how}, that has run out with ${status} half-way is replaced, and the transfer goes on`, async () => {
      await using storage = serveArchive(
        whole(500, ETAG),
        answer(status, ["Content-Length: 0"]),
        rest(500),
      );
      await using api = pointTo(() => storage.url, how);
      const { received } = await intoStream(clientOf(api.url));
      assertEquals(received, ARCHIVE);
      assertEquals(storage.asked, ["all", FROM_500, FROM_500]);
      assertEquals(
        storage.requestLines,
        [1, 2, 3].map((serial) => `GET /a.tar.gz?signature=signed-${serial} HTTP/1.1`),
      );
      assertEquals(api.requests.map(({ headers }) => headers.get("X-API-Key")), [
        apiKey,
        apiKey,
        apiKey,
      ]);
      assert(storage.requestHeaders.every((headers) => !headers.has("X-API-Key")));
    });
  }
}

Deno.test("a storage that lies about the range is asked for the whole archive, still without the key", async () => {
  await using storage = serveArchive(whole(500, ETAG), rest(400), whole(1000, ETAG));
  await using api = pointTo(() => storage.url, "redirect");
  const { received } = await intoStream(clientOf(api.url));
  assertEquals(received, ARCHIVE);
  assertEquals(storage.asked, ["all", FROM_500, "all"]);
  assertEquals(api.requests.length, 2);
  assert(storage.requestHeaders.every((headers) => !headers.has("X-API-Key")));
});

for (const status of ["503 Service Unavailable", "425 Too Early"]) {
  const preparing = (retryAfter: number) =>
    answer(status, ["Content-Length: 0", `Retry-After: ${retryAfter}`]);

  Deno.test(`an archive that is still built, as ${status} says, is waited for without counting`, async () => {
    await using server = serveArchive(preparing(0), preparing(0), preparing(0), whole());
    const { received, events } = await intoMemory(clientOf(server.url, { maxRetries: 1 }));
    assertEquals(received, ARCHIVE);
    assertEquals(
      events.map((event) => event.type === "preparing" ? event.retryInMs : event.type),
      [0, 0, 0, "progress", "progress", "complete"],
    );
  });

  Deno.test(`an archive that is built for too long, as ${status} says, fails with the server's error`, async () => {
    await using server = serveArchive(preparing(0), preparing(30));
    const seen: string[] = [];
    const download$ = clientOf(server.url).download$(checkpoint, { prepareTimeoutMs: 20_000 });
    const error = await new Promise((resolve) =>
      download$.subscribe({ next: ({ type }) => seen.push(type), error: resolve })
    );
    assert(error instanceof ApiStatusError);
    assertEquals([error.status, error.retryAfterMs], [Number(status.slice(0, 3)), 30_000]);
    assertEquals(seen, ["preparing"]);
  });

  Deno.test(`an archive that is built anew half-way, as ${status} says, goes on where it was`, async () => {
    await using server = serveArchive(whole(500, ETAG), preparing(0), rest(500));
    const { received, events } = await intoStream(clientOf(server.url, { maxRetries: 1 }));
    assertEquals(received, ARCHIVE);
    assertEquals(server.asked, ["all", FROM_500, FROM_500]);
    const preparation = events.find(({ type }) => type === "preparing");
    assertEquals([preparation?.loaded, preparation?.type], [500, "preparing"]);
  });
}

Deno.test("each byte beyond the furthest one restores the retries", async () => {
  const starts = [0, 100, 101, 200, 300, 999];
  await using server = serveArchive(
    ...starts.map((start, index) =>
      start === 0
        ? whole(starts[1], ETAG)
        : rest(start, { sent: starts[index + 1] ?? ARCHIVE.byteLength })
    ),
  );
  const { received } = await intoStream(clientOf(server.url, { maxRetries: 1 }));
  assertEquals(received, ARCHIVE);
  assertEquals(server.asked.length, 6);
});

Deno.test("starting over restores the retries where it gets further than before", async () => {
  await using server = serveArchive(whole(500), whole(501), whole(502), whole());
  const { received } = await intoMemory(clientOf(server.url, { maxRetries: 1 }));
  assertEquals(received, ARCHIVE);
});

for (
  const [what, cut] of [
    ["cannot go on and always cuts at half", whole(500)],
    ["ignores Range and always cuts at half", whole(500, ETAG)],
  ] as const
) {
  Deno.test(`a server that ${what} is given up after maxRetries`, async () => {
    await using server = serveArchive(...Array<RawAnswer>(10).fill(cut));
    const error = await assertRejects(
      () => intoMemory(clientOf(server.url, { maxRetries: 3 })),
      DownloadInterruptedError,
    );
    assertEquals([error.loaded, error.total], [500, 1000]);
    assertEquals(server.asked.length, 4);
  });
}

Deno.test("a server that breaks off before the byte that was reached does not make it less", async () => {
  await using server = serveArchive(whole(500, ETAG), whole(200, ETAG));
  const error = await assertRejects(
    () => intoMemory(clientOf(server.url, { maxRetries: 1 })),
    DownloadInterruptedError,
  );
  assertEquals([error.loaded, error.total], [500, 1000]);
});

Deno.test("a server that is gone after the cut is an interrupted download with its cause", async () => {
  await using server = serveArchive(whole(500, ETAG));
  const error = await assertRejects(
    () => intoMemory(clientOf(server.url, { maxRetries: 2 })),
    DownloadInterruptedError,
    "The connection failed",
  );
  assertEquals([error.loaded, error.total], [500, 1000]);
  assert(error.cause instanceof Error);
});

Deno.test("without retries a cut is an interrupted download", async () => {
  await using server = serveArchive(whole(500, ETAG), rest(500));
  const error = await assertRejects(
    () => intoMemory(clientOf(server.url, { maxRetries: 0 })),
    DownloadInterruptedError,
  );
  assertEquals([error.loaded, error.total], [500, 1000]);
  assertEquals(server.asked, ["all"]);
});
