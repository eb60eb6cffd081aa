import { assert, assertEquals, assertMatch } from "@std/assert";
import { DownloadInterruptedError, RestClient } from "@hpcai/rx";
import { FakeHpcai } from "@hpcai/rx/testing";
import { lastValueFrom, tap } from "rxjs";
import { serve } from "./loopback_server.ts";
import { hasNginx, startNginx } from "./nginx.ts";
import { type Passage, proxy } from "./tcp_proxy.ts";

const ARCHIVE_BYTES = 3_000_000;

const isMissing = !await hasNginx();
if (isMissing) {
  if (Deno.env.get("CI") === "true") throw new Error("There is no nginx, which CI has to have.");
  console.log("The tests against nginx are skipped, since there is no nginx.");
}

/** A request to nginx, and how many bytes had arrived by then. */
interface Asked {
  readonly loaded: number;
  readonly headers: Headers;
}

interface Received {
  /** The error that the download ended with, if any. */
  readonly error: unknown;
  readonly archive: Uint8Array;
  readonly asked: readonly Asked[];
  /** What nginx has at the end. */
  readonly served: Uint8Array;
}

/**
 * Downloads from an API that redirects to nginx behind a proxy.
 *
 * @param into Memory, or a stream that cannot take back what it got.
 * @param directives How nginx serves the archive.
 * @param passages What becomes of the connections to nginx; those that follow are sound.
 * @param isReplaced Whether nginx has another archive from the second connection on.
 */
async function download(
  into: "memory" | "stream",
  directives: string,
  passages: readonly Passage[],
  isReplaced = false,
): Promise<Received> {
  await using nginx = await startNginx(directives);
  const file = `${nginx.root}/archive.tar.gz`;
  const fake = new FakeHpcai({ archiveBytes: ARCHIVE_BYTES });
  const [trainingRunId = ""] = fake.trainingRunIds;
  const [first, second] = fake.checkpoints(trainingRunId);
  assert(first !== undefined && second !== undefined);
  let served = fake.archive(trainingRunId, first.checkpointId).slice();
  await Deno.writeFile(file, served);

  let connections = 0;
  await using storage = await proxy(nginx.url, () => {
    if (isReplaced && connections === 1) {
      served = fake.archive(trainingRunId, second.checkpointId).slice();
      Deno.writeFileSync(file, served);
      // nginx makes the entity tag of the size and the time, in whole seconds.
      Deno.utimeSync(file, 0, 0);
    }
    return passages[connections++] ?? {};
  });
  const location = `${storage.url}/archive.tar.gz?signature=signed`;
  fake.faults.add({ type: "redirect", location }, { on: "archive", times: Infinity });
  await using api = serve(fake.handler);

  // A connection for each request, so that each has its own passage.
  using http = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  const asked: Asked[] = [];
  let loaded = 0;
  const client = new RestClient({
    apiKey: fake.apiKey,
    baseUrl: api.url,
    retry: { initialDelayMs: 0, maxDelayMs: 0 },
    fetch: (input, init) => {
      if (String(input) === location) asked.push({ loaded, headers: new Headers(init?.headers) });
      return fetch(input, { ...init, client: http });
    },
  });
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  const to = new WritableStream<Uint8Array>({ write: (chunk) => void chunks.push(chunk.slice()) });
  const options = {
    idleTimeoutMs: 300,
    progressIntervalMs: 0,
    ...(into === "memory" ? {} : { to }),
  };
  let body: Uint8Array | undefined;
  const error = await lastValueFrom(
    client.download$({ trainingRunId, checkpointId: first.checkpointId }, options).pipe(
      tap((event) => {
        loaded = event.loaded;
        if (event.type === "complete") body = event.body;
      }),
    ),
  ).then(() => undefined, (error) => error);
  const streamed = await new Blob(chunks).bytes();
  return { error, archive: body ?? streamed, asked, served };
}

function nginxTest(name: string, test: () => Promise<void>): void {
  Deno.test({ name, ignore: isMissing, fn: test });
}

/** Under a content coding nginx makes the entity tag weak, and sends neither length nor ranges. */
const COMPRESSING = "gzip on; gzip_types *; gzip_comp_level 1;";

const CUT: Passage = { bytes: 1_000_000, ending: "close" };

for (const into of ["memory", "stream"] as const) {
  nginxTest(
    `an archive that nginx serves over cut, reset, silent and slow connections arrives in ${into}`,
    async () => {
      const { error, archive, asked, served } = await download(into, "", [
        { bytes: 100, ending: "close" },
        { bytes: 400_000, ending: "close", chunkDelayMs: 1 },
        { bytes: 500_000, ending: "reset", chunkDelayMs: 1 },
        { bytes: 600_000, ending: "stall" },
        { bytes: 0, ending: "reset" },
        { chunkDelayMs: 2 },
      ]);
      assertEquals(error, undefined);
      assertEquals(archive, served);
      assertEquals(asked.length, 6);
      for (const { loaded, headers } of asked) {
        assertEquals(headers.get("Range"), loaded === 0 ? null : `bytes=${loaded}-`);
        if (loaded > 0) assertMatch(headers.get("If-Range") ?? "", /^"[\da-f]+-[\da-f]+"$/);
        assertEquals(headers.has("X-API-Key"), false);
      }
    },
  );

  nginxTest(
    `an archive from an nginx that ignores Range arrives in ${into} all the same`,
    async () => {
      const { error, archive, asked, served } = await download(into, "max_ranges 0;", [CUT, CUT]);
      assertEquals(error, undefined);
      assertEquals(archive, served);
      assertEquals(asked.map(({ headers }) => headers.has("Range")), [false, true, true]);
    },
  );

  nginxTest(
    `an archive from an nginx that compresses on request is resumed in ${into}`,
    async () => {
      const { error, archive, asked, served } = await download(into, COMPRESSING, [CUT]);
      assertEquals(error, undefined);
      assertEquals(archive, served);
      assertEquals(asked.map(({ headers }) => headers.has("Range")), [false, true]);
      for (const { headers } of asked) assertEquals(headers.get("Accept-Encoding"), "identity");
    },
  );
}

const startedOver = {
  "that nginx replaces half-way": { directives: "", isReplaced: true },
  "that nginx serves without an entity tag": { directives: "etag off;", isReplaced: false },
};
for (const [what, { directives, isReplaced }] of Object.entries(startedOver)) {
  nginxTest(`an archive ${what} is started over in memory when it is cut`, async () => {
    const { error, archive, asked, served } = await download(
      "memory",
      directives,
      [CUT],
      isReplaced,
    );
    assertEquals(error, undefined);
    assertEquals(archive, served);
    assertEquals(asked.map(({ headers }) => headers.has("Range")), [false, isReplaced]);
  });

  nginxTest(`an archive ${what} leaves a stream with its beginning when it is cut`, async () => {
    const { error, archive, asked } = await download("stream", directives, [CUT], isReplaced);
    assert(error instanceof DownloadInterruptedError);
    assertEquals(archive.byteLength, error.loaded);
    assertEquals(asked.length, isReplaced ? 2 : 1);
  });
}
