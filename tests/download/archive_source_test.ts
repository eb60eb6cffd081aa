import { assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { firstValueFrom } from "rxjs";
import {
  type ArchivePosition,
  type ArchiveSource,
  openArchive$,
} from "../../src/download/archive_source.ts";
import { ApiRedirectError, ApiResponseValidationError, NotFoundError } from "../../src/errors.ts";
import { createTransport } from "../../src/transport/transport.ts";

const BEGINNING: ArchivePosition = { loaded: 0, total: undefined, etag: undefined };
const HALF: ArchivePosition = { loaded: 5, total: 10, etag: '"a"' };
const TAG = { "ETag": '"a"' };
const RANGE = { "Range": "bytes=5-", "If-Range": '"a"' };

interface Opened {
  readonly source: ArchiveSource;
  /** The URL of each request, and its headers for range and key. */
  readonly requests: readonly (readonly [url: string, headers: Record<string, string>])[];
  readonly body: string;
}

/** Opens an archive; the first request gets the first response, and so on. */
async function open(position: ArchivePosition, ...responses: Response[]): Promise<Opened> {
  const requests: [string, Record<string, string>][] = [];
  const transport = createTransport({
    apiKey: "k",
    baseUrl: "https://api.example",
    retry: false,
    fetch: (input, init) => {
      const headers = new Headers(init?.headers);
      const recorded = ["Range", "If-Range", "X-API-Key"].flatMap((name) => {
        const value = headers.get(name);
        return value === null ? [] : [[name, value]];
      });
      requests.push([String(input), Object.fromEntries(recorded)]);
      return Promise.resolve(responses[requests.length - 1] ?? Response.error());
    },
  });
  const ids = { trainingRunId: "run", checkpointId: "a/b c" };
  const source = await firstValueFrom(
    openArchive$(transport, ids, position, { limitMs: 0, onWait: () => {} }),
  );
  return { source, requests, body: await new Response(source.body ?? null).text() };
}

function partialResponse(contentRange: string, headers: Record<string, string> = TAG): Response {
  return new Response("56789", {
    status: 206,
    headers: { "Content-Range": contentRange, ...headers },
  });
}

function completeResponse(headers: Record<string, string> = {}): Response {
  return new Response("0123456789", {
    headers: { "Content-Type": "application/gzip", "Content-Length": "10", ...headers },
  });
}

/** The position of a source, and the length and entity tag of its archive. */
function toFacts({ loaded, total, etag, announcedTotal }: ArchiveSource) {
  return { loaded, total, etag, announcedTotal };
}

const URL_OF_ARCHIVE = "https://api.example/api/v1/training_runs/run/checkpoints/a/b%20c/archive";

Deno.test("openArchive$ requests the whole archive without a range, with the key", async () => {
  const { source, requests, body } = await open(BEGINNING, completeResponse({ "ETag": '"a"' }));
  assertEquals(requests, [[URL_OF_ARCHIVE, { "X-API-Key": "k" }]]);
  assertEquals(toFacts(source), { loaded: 0, total: 10, etag: '"a"', announcedTotal: 10 });
  assertEquals(body, "0123456789");
});

for (
  const [what, headers, total, etag] of [
    ["a weak entity tag", { "ETag": 'W/"a"' }, 10, undefined],
    ["an entity tag without quotes", { "ETag": "a" }, 10, undefined],
    ["an invalid length", { "ETag": '"a"', "Content-Length": "ten" }, undefined, '"a"'],
    ["a content coding", { "ETag": '"a"', "Content-Encoding": "GZIP" }, undefined, undefined],
    [
      "the content coding identity",
      { "ETag": '"a"', "Content-Encoding": "identity" },
      10,
      '"a"',
    ],
  ] as const
) {
  Deno.test(`openArchive$ reads length and entity tag of a response with ${what}`, async () => {
    const { source } = await open(BEGINNING, completeResponse(headers));
    assertEquals(toFacts(source), { loaded: 0, total, etag, announcedTotal: total });
  });
}

Deno.test("openArchive$ requests the rest by range and entity tag, and begins at the requested byte", async () => {
  const { source, requests, body } = await open(HALF, partialResponse("bytes 5-9/10"));
  assertEquals(requests, [[URL_OF_ARCHIVE, { ...RANGE, "X-API-Key": "k" }]]);
  assertEquals(toFacts(source), { ...HALF, announcedTotal: 10 });
  assertEquals(body, "56789");
});

Deno.test("openArchive$ does not resume bytes without an entity tag", async () => {
  const { requests } = await open({ ...HALF, etag: undefined }, completeResponse());
  assertEquals(requests, [[URL_OF_ARCHIVE, { "X-API-Key": "k" }]]);
});

Deno.test("openArchive$ reports the length in a Content-Range as announcedTotal only", async () => {
  const { source } = await open({ ...HALF, total: undefined }, partialResponse("BYTES 5-9/10"));
  assertEquals(toFacts(source), { ...HALF, total: undefined, announcedTotal: 10 });
});

Deno.test("openArchive$ keeps the total if a later response with the same entity tag has no length", async () => {
  const { source } = await open(HALF, completeResponse({ "ETag": '"a"', "Content-Length": "" }));
  assertEquals(toFacts(source), { loaded: 0, total: 10, etag: '"a"', announcedTotal: 10 });
  const { source: other } = await open(
    HALF,
    completeResponse({ "ETag": '"b"', "Content-Length": "" }),
  );
  assertEquals(other.total, undefined);
});

Deno.test("openArchive$ requests the archive without a content coding", async () => {
  let encoding: string | null | undefined;
  const transport = createTransport({
    apiKey: "k",
    fetch: (_input, init) => {
      encoding = new Headers(init?.headers).get("Accept-Encoding");
      return Promise.resolve(completeResponse());
    },
  });
  const ids = { trainingRunId: "run", checkpointId: "c" };
  const preparation = { limitMs: 0, onWait: () => {} };
  const { body } = await firstValueFrom(openArchive$(transport, ids, BEGINNING, preparation));
  await body?.cancel();
  assertEquals(encoding, "identity");
});

for (
  const [what, response] of [
    ["begins at another byte", partialResponse("bytes 4-9/10")],
    ["has another length", partialResponse("bytes 5-9/11")],
    ["has an unknown length", partialResponse("bytes 5-9/*")],
    ["has another unit", partialResponse("lines 5-9/10")],
    ["has another entity tag", partialResponse("bytes 5-9/10", { "ETag": '"b"' })],
    ["has no entity tag", partialResponse("bytes 5-9/10", {})],
    ["ends before it begins", partialResponse("bytes 5-3/10")],
    ["ends after the archive", partialResponse("bytes 5-10/10")],
    ["has a weak entity tag", partialResponse("bytes 5-9/10", { "ETag": 'W/"a"' })],
    ["has a content coding", partialResponse("bytes 5-9/10", { ...TAG, "Content-Encoding": "br" })],
    [
      "has several ranges",
      partialResponse("", { "Content-Type": "multipart/byteranges; boundary=x" }),
    ],
    ["is not satisfiable", new Response(null, { status: 416 })],
    [
      "is not satisfiable, in another archive of that length",
      new Response(null, {
        status: 416,
        headers: { "Content-Range": "bytes */5", "ETag": '"b"' },
      }),
    ],
    [
      "is not satisfiable, in a longer archive",
      new Response(null, { status: 416, headers: { "Content-Range": "bytes */11" } }),
    ],
  ] as const
) {
  Deno.test(`openArchive$ requests the whole archive from the same URL after a range that ${what}`, async () => {
    const redirect = new Response(null, {
      status: 307,
      headers: { "Location": "https://storage.example/a?signature=s" },
    });
    const { source, requests, body } = await open(
      HALF,
      redirect,
      response,
      completeResponse({ "ETag": '"a"' }),
    );
    assertEquals(requests, [
      [URL_OF_ARCHIVE, { ...RANGE, "X-API-Key": "k" }],
      ["https://storage.example/a?signature=s", RANGE],
      ["https://storage.example/a?signature=s", {}],
    ]);
    assertEquals(toFacts(source), { loaded: 0, total: 10, etag: '"a"', announcedTotal: 10 });
    assertEquals(body, "0123456789");
  });
}

Deno.test("openArchive$ reads a 416 at the end of the archive as an archive without further bytes", async () => {
  const { source } = await open(
    { loaded: 10, total: 10, etag: '"a"' },
    new Response(null, { status: 416, headers: { "Content-Range": "bytes */10" } }),
  );
  assertEquals(source.body, undefined);
  assertEquals(toFacts(source), { loaded: 10, total: 10, etag: '"a"', announcedTotal: 10 });
});

Deno.test("openArchive$ resolves a relative signed URL, and sends it the range, and the key only on the API's origin", async () => {
  const { requests } = await open(
    HALF,
    Response.json({ url: "/signed" }),
    partialResponse("bytes 5-9/10"),
  );
  assertEquals(requests[1], ["https://api.example/signed", { ...RANGE, "X-API-Key": "k" }]);
  const away = await open(
    HALF,
    Response.json({ url: "https://s.example/" }),
    partialResponse("bytes 5-9/10"),
  );
  assertEquals(away.requests[1], ["https://s.example/", RANGE]);
});

Deno.test("openArchive$ does not follow a signed URL from https: to http:", async () => {
  const error = await assertRejects(() => open(HALF, Response.json({ url: "http://s.example/" })));
  assertInstanceOf(error, ApiRedirectError);
});

Deno.test("openArchive$ rejects a 206 in response to a request for the whole archive", async () => {
  const error = await assertRejects(() =>
    open(HALF, partialResponse("bytes 4-9/10"), partialResponse("bytes 4-9/10"))
  );
  assertInstanceOf(error, ApiResponseValidationError);
  assertEquals(error.excerpt, "a range of it, with status 206");
});

for (
  const [what, response] of [
    ["HTML", completeResponse({ "Content-Type": "Text/HTML; charset=utf-8" })],
    ["nothing", new Response(null)],
  ] as const
) {
  Deno.test(`openArchive$ rejects ${what} in place of the archive, at any position`, async () => {
    assertInstanceOf(await assertRejects(() => open(HALF, response)), ApiResponseValidationError);
  });
}

for (
  const [how, first] of [
    ["a redirect", () => Response.redirect("https://storage.example/a")],
    ["a signed URL", () => Response.json({ url: "https://storage.example/a" })],
  ] as const
) {
  Deno.test(`openArchive$ advises how to continue where the storage has no archive, after ${how}`, async () => {
    const error = await assertRejects(
      () => open(BEGINNING, first(), new Response(null, { status: 404 })),
      NotFoundError,
    );
    assertEquals(error.requestUrl, "https://storage.example/a");
    assertStringIncludes(error.advice ?? "", "listCheckpoints$");
  });
}
