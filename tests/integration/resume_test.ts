import { assert, assertEquals, assertRejects } from "@std/assert";
import { ApiStatusError, DownloadInterruptedError, RestClient, type RetryOptions } from "@hpcai/rx";
import { FakeHpcai } from "@hpcai/rx/testing";
import { lastValueFrom, toArray } from "rxjs";
import type { DownloadEvent } from "../../src/download/download_event.ts";
import {
  ARCHIVE,
  archiveRange,
  chunkedArchive,
  ETAG,
  fullArchive,
  OTHER_ARCHIVE,
  respondWith,
  serveArchive,
  unsatisfiableRange,
} from "./archive_server.ts";
import { serve } from "./loopback_server.ts";
import type { RawResponder } from "./raw_responses.ts";

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

/** Downloads into a stream, which cannot restart. */
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

/** The value of `loaded` in each event. */
function loadedOf(events: readonly DownloadEvent[]): number[] {
  return events.map(({ loaded }) => loaded);
}

const stallAfter = (sent: number): RawResponder =>
  respondWith(
    "200 OK",
    [`Content-Length: ${ARCHIVE.byteLength}`, ETAG],
    ARCHIVE.slice(0, sent),
    (connection) => connection.closed,
  );

const FROM_500 = 'bytes=500- if "a"';

const RESUMED_TRANSFERS: readonly (readonly [
  condition: string,
  responders: readonly RawResponder[],
  ranges: readonly string[],
])[] = [
  ["the connection ends before the headers", [(connection) => connection.end(), fullArchive()], [
    "all",
    "all",
  ]],
  [
    "the connection ends within the headers",
    [async (connection) => {
      await connection.write("HTTP/1.1 200 OK\r\nContent-Le");
      await connection.end();
    }, fullArchive()],
    ["all", "all"],
  ],
  ["the connection ends after the headers", [fullArchive(0, ETAG), fullArchive()], ["all", "all"]],
  ["the body is interrupted half-way", [fullArchive(500, ETAG), archiveRange(500)], [
    "all",
    FROM_500,
  ]],
  [
    "the body is interrupted before its last byte",
    [fullArchive(999, ETAG), archiveRange(999)],
    ["all", 'bytes=999- if "a"'],
  ],
  ["the connection ends at the end of the body", [fullArchive(1000, ETAG)], ["all"]],
  [
    "a chunked body is interrupted after its last byte",
    [chunkedArchive(1000), unsatisfiableRange(1000, ETAG)],
    ["all", 'bytes=1000- if "a"'],
  ],
  ["a chunked body is interrupted", [chunkedArchive(500), archiveRange(500)], ["all", FROM_500]],
  ["a chunked body is complete", [chunkedArchive(1000, { isEnded: true })], ["all"]],
  ["several responses are interrupted", [
    fullArchive(500, ETAG),
    archiveRange(500, { sent: 501 }),
    (connection) => connection.end(),
    archiveRange(501, { sent: 501 }),
    archiveRange(501),
  ], ["all", FROM_500, 'bytes=501- if "a"', 'bytes=501- if "a"', 'bytes=501- if "a"']],
  ["the body stalls half-way", [stallAfter(500), archiveRange(500)], ["all", FROM_500]],
  ["the body stalls before its first byte", [stallAfter(0), fullArchive()], ["all", "all"]],
  [
    "the server sends shorter ranges than requested",
    [
      fullArchive(300, ETAG),
      archiveRange(300, { end: 600 }),
      archiveRange(600, { end: 999 }),
      archiveRange(999),
    ],
    ["all", 'bytes=300- if "a"', 'bytes=600- if "a"', 'bytes=999- if "a"'],
  ],
  [
    "a range has no ETag",
    [fullArchive(500, ETAG), archiveRange(500, { headers: [] }), fullArchive(1000, ETAG)],
    ["all", FROM_500, "all"],
  ],
  ["the server ignores Range", [fullArchive(500, ETAG), fullArchive(1000, ETAG)], [
    "all",
    FROM_500,
  ]],
  [
    "the server ignores Range and is interrupted before and after the byte reached",
    [
      fullArchive(500, ETAG),
      fullArchive(200, ETAG),
      fullArchive(700, ETAG),
      fullArchive(1000, ETAG),
    ],
    ["all", FROM_500, FROM_500, 'bytes=700- if "a"'],
  ],
  [
    "the server ignores Range and its body ends before the byte reached",
    [
      fullArchive(500, ETAG),
      respondWith("200 OK", [ETAG], ARCHIVE.slice(0, 300)),
      archiveRange(500),
    ],
    ["all", FROM_500, FROM_500],
  ],
  [
    "a range starts at another byte",
    [fullArchive(500, ETAG), archiveRange(400, { headers: [ETAG] }), fullArchive(1000, ETAG)],
    ["all", FROM_500, "all"],
  ],
  [
    "a range has another total",
    [
      fullArchive(500, ETAG),
      archiveRange(500, { contentRange: "bytes 500-999/1001" }),
      fullArchive(1000, ETAG),
    ],
    ["all", FROM_500, "all"],
  ],
  [
    "a range has an unknown total",
    [
      chunkedArchive(500),
      archiveRange(500, { end: 700, contentRange: "bytes 500-699/*" }),
      chunkedArchive(1000, { isEnded: true }),
    ],
    ["all", FROM_500, "all"],
  ],
  [
    "a range has a malformed Content-Range",
    [fullArchive(500, ETAG), archiveRange(500, { contentRange: "none" }), fullArchive(1000, ETAG)],
    ["all", FROM_500, "all"],
  ],
  [
    "a range has another ETag",
    [
      fullArchive(500, ETAG),
      archiveRange(500, { headers: ['ETag: "b"'] }),
      fullArchive(1000, ETAG),
    ],
    ["all", FROM_500, "all"],
  ],
  [
    "a range has a content coding",
    [
      fullArchive(500, ETAG),
      archiveRange(500, { headers: [ETAG, "Content-Encoding: gzip"] }),
      fullArchive(1000, ETAG),
    ],
    ["all", FROM_500, "all"],
  ],
  [
    "a 416 has another length",
    [chunkedArchive(500), unsatisfiableRange(400), fullArchive(1000, ETAG)],
    ["all", FROM_500, "all"],
  ],
  [
    "a 416 has another ETag",
    [chunkedArchive(500), unsatisfiableRange(500, 'ETag: "b"'), fullArchive(1000, ETAG)],
    ["all", FROM_500, "all"],
  ],
];

for (const [condition, responders, ranges] of RESUMED_TRANSFERS) {
  for (const [into, download] of Object.entries({ memory: intoMemory, "a stream": intoStream })) {
    Deno.test(`download$ into ${into} completes without a restart when ${condition}`, async () => {
      await using server = await serveArchive(...responders);
      const { received, events } = await download(clientOf(server.url));
      assertEquals(received, ARCHIVE);
      assertEquals(server.ranges, ranges);
      assertEquals(loadedOf(events), loadedOf(events).toSorted((a, b) => a - b));
      assertEquals(loadedOf(events).at(-1), ARCHIVE.byteLength);
    });
  }
}

const OTHER_FULL_ARCHIVE = respondWith(
  "200 OK",
  ["Content-Length: 1000", 'ETag: "b"'],
  OTHER_ARCHIVE,
);

const RESTARTED_TRANSFERS: readonly (readonly [
  condition: string,
  responders: readonly RawResponder[],
  ranges: readonly string[],
  streamRanges: readonly string[],
])[] = [
  [
    "the archive has another ETag",
    [fullArchive(500, ETAG), OTHER_FULL_ARCHIVE],
    ["all", FROM_500],
    ["all", FROM_500],
  ],
  [
    "a range and the archive have another ETag",
    [fullArchive(500, ETAG), archiveRange(500, { headers: ['ETag: "b"'] }), OTHER_FULL_ARCHIVE],
    ["all", FROM_500, "all"],
    ["all", FROM_500, "all"],
  ],
  ["the ETag is weak", [fullArchive(500, 'ETag: W/"a"'), OTHER_FULL_ARCHIVE], ["all", "all"], [
    "all",
  ]],
  [
    "there is no ETag",
    [fullArchive(500, "Last-Modified: Wed, 07 Jan 2026 10:19:18 GMT"), OTHER_FULL_ARCHIVE],
    ["all", "all"],
    ["all"],
  ],
  [
    "there is neither length nor ETag",
    [chunkedArchive(500, { headers: [] }), OTHER_FULL_ARCHIVE],
    ["all", "all"],
    ["all"],
  ],
];

for (const [condition, responders, ranges, streamRanges] of RESTARTED_TRANSFERS) {
  Deno.test(`download$ into memory restarts when ${condition}`, async () => {
    await using server = await serveArchive(...responders);
    const { received, events } = await intoMemory(clientOf(server.url));
    assertEquals(received, OTHER_ARCHIVE);
    assertEquals(server.ranges, ranges);
    assertEquals(loadedOf(events), [0, 500, 0, 0, 1000, 1000]);
    assertEquals(events.at(2)?.type, "restart");
  });

  Deno.test(`download$ into a stream fails and aborts the stream when ${condition}`, async () => {
    await using server = await serveArchive(...responders);
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
    assertEquals(server.ranges, streamRanges);
  });
}

Deno.test("download$ restarts an archive with a content coding, which it cannot resume", async () => {
  const headers = [ETAG, "Content-Encoding: gzip", `Content-Length: ${ARCHIVE.byteLength}`];
  await using server = await serveArchive(
    respondWith("200 OK", headers, ARCHIVE.slice(0, 500)),
    respondWith("200 OK", headers, ARCHIVE),
  );
  const { received, events } = await intoMemory(clientOf(server.url));
  assertEquals(received, ARCHIVE);
  assertEquals(server.ranges, ["all", "all"]);
  assert(events.every((event) => event.type === "complete" || event.total === undefined));
});

Deno.test("download$ resumes at the byte reached when a server resets the connection", async () => {
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
  assert(loadedOf(events).includes(Number(start)));
  assertEquals(resumed?.headers.get("If-Range"), archive.etag);
});

/** An API that sends a new signed URL of a storage on another port with each response. */
function serveSignedUrls(storageUrl: () => string, how: "redirect" | "json") {
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
    Deno.test(`download$ requests another signed URL by ${how} and resumes when the first one expires with ${status}`, async () => {
      await using storage = await serveArchive(
        fullArchive(500, ETAG),
        respondWith(status, ["Content-Length: 0"]),
        archiveRange(500),
      );
      await using api = serveSignedUrls(() => storage.url, how);
      const { received } = await intoStream(clientOf(api.url));
      assertEquals(received, ARCHIVE);
      assertEquals(storage.ranges, ["all", FROM_500, FROM_500]);
      assertEquals(
        storage.requests.map(({ target }) => target),
        [1, 2, 3].map((serial) => `/a.tar.gz?signature=signed-${serial}`),
      );
      assertEquals(api.requests.map(({ headers }) => headers.get("X-API-Key")), [
        apiKey,
        apiKey,
        apiKey,
      ]);
      assert(storage.requests.every(({ headers }) => !headers.has("x-api-key")));
    });
  }
}

Deno.test("download$ requests the complete archive without the key after a wrong range of a storage", async () => {
  await using storage = await serveArchive(
    fullArchive(500, ETAG),
    archiveRange(400),
    fullArchive(1000, ETAG),
  );
  await using api = serveSignedUrls(() => storage.url, "redirect");
  const { received } = await intoStream(clientOf(api.url));
  assertEquals(received, ARCHIVE);
  assertEquals(storage.ranges, ["all", FROM_500, "all"]);
  assertEquals(api.requests.length, 2);
  assert(storage.requests.every(({ headers }) => !headers.has("x-api-key")));
});

for (const status of ["503 Service Unavailable", "425 Too Early"]) {
  const sendPreparing = (retryAfter: number) =>
    respondWith(status, ["Content-Length: 0", `Retry-After: ${retryAfter}`]);

  Deno.test(`download$ waits after ${status} without using up retries`, async () => {
    await using server = await serveArchive(
      sendPreparing(0),
      sendPreparing(0),
      sendPreparing(0),
      fullArchive(),
    );
    const { received, events } = await intoMemory(clientOf(server.url, { maxRetries: 1 }));
    assertEquals(received, ARCHIVE);
    assertEquals(
      events.map((event) => event.type === "preparing" ? event.retryInMs : event.type),
      [0, 0, 0, "progress", "progress", "complete"],
    );
  });

  Deno.test(`download$ fails with the ${status} that exceeds prepareTimeoutMs`, async () => {
    await using server = await serveArchive(sendPreparing(0), sendPreparing(30));
    const types: string[] = [];
    const download$ = clientOf(server.url).download$(checkpoint, { prepareTimeoutMs: 20_000 });
    const error = await new Promise((resolve) =>
      download$.subscribe({ next: ({ type }) => types.push(type), error: resolve })
    );
    assert(error instanceof ApiStatusError);
    assertEquals([error.status, error.retryAfterMs], [Number(status.slice(0, 3)), 30_000]);
    assertEquals(types, ["preparing"]);
  });

  Deno.test(`download$ resumes after a ${status} during the transfer`, async () => {
    await using server = await serveArchive(
      fullArchive(500, ETAG),
      sendPreparing(0),
      archiveRange(500),
    );
    const { received, events } = await intoStream(clientOf(server.url, { maxRetries: 1 }));
    assertEquals(received, ARCHIVE);
    assertEquals(server.ranges, ["all", FROM_500, FROM_500]);
    const preparation = events.find(({ type }) => type === "preparing");
    assertEquals([preparation?.loaded, preparation?.type], [500, "preparing"]);
  });
}

Deno.test("download$ resets maxRetries after each byte of progress", async () => {
  const starts = [0, 100, 101, 200, 300, 999];
  await using server = await serveArchive(
    ...starts.map((start, index) =>
      start === 0
        ? fullArchive(starts[1], ETAG)
        : archiveRange(start, { sent: starts[index + 1] ?? ARCHIVE.byteLength })
    ),
  );
  const { received } = await intoStream(clientOf(server.url, { maxRetries: 1 }));
  assertEquals(received, ARCHIVE);
  assertEquals(server.ranges.length, 6);
});

Deno.test("download$ resets maxRetries when a restart gets further than before", async () => {
  await using server = await serveArchive(
    fullArchive(500),
    fullArchive(501),
    fullArchive(502),
    fullArchive(),
  );
  const { received } = await intoMemory(clientOf(server.url, { maxRetries: 1 }));
  assertEquals(received, ARCHIVE);
});

for (
  const [condition, respond] of [
    ["it cannot resume", fullArchive(500)],
    ["the server ignores Range", fullArchive(500, ETAG)],
  ] as const
) {
  Deno.test(`download$ fails after maxRetries when ${condition} and every response ends half-way`, async () => {
    await using server = await serveArchive(...Array<RawResponder>(10).fill(respond));
    const error = await assertRejects(
      () => intoMemory(clientOf(server.url, { maxRetries: 3 })),
      DownloadInterruptedError,
    );
    assertEquals([error.loaded, error.total], [500, 1000]);
    assertEquals(server.ranges.length, 4);
  });
}

Deno.test("DownloadInterruptedError.loaded stays at the byte reached when a later response is shorter", async () => {
  await using server = await serveArchive(fullArchive(500, ETAG), fullArchive(200, ETAG));
  const error = await assertRejects(
    () => intoMemory(clientOf(server.url, { maxRetries: 1 })),
    DownloadInterruptedError,
  );
  assertEquals([error.loaded, error.total], [500, 1000]);
});

Deno.test("download$ fails with a DownloadInterruptedError and its cause when the server stops", async () => {
  await using server = await serveArchive(fullArchive(500, ETAG));
  const error = await assertRejects(
    () => intoMemory(clientOf(server.url, { maxRetries: 2 })),
    DownloadInterruptedError,
    "The connection failed",
  );
  assertEquals([error.loaded, error.total], [500, 1000]);
  assert(error.cause instanceof Error);
});

Deno.test("download$ fails with a DownloadInterruptedError when maxRetries is 0", async () => {
  await using server = await serveArchive(fullArchive(500, ETAG), archiveRange(500));
  const error = await assertRejects(
    () => intoMemory(clientOf(server.url, { maxRetries: 0 })),
    DownloadInterruptedError,
  );
  assertEquals([error.loaded, error.total], [500, 1000]);
  assertEquals(server.ranges, ["all"]);
});
