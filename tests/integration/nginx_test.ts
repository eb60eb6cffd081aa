import { assert, assertEquals, assertMatch } from "@std/assert";
import { DownloadInterruptedError, RestClient } from "@hpcai/rx";
import { FakeHpcai } from "@hpcai/rx/testing";
import { lastValueFrom, tap } from "rxjs";
import { serve } from "./loopback_server.ts";
import { NGINX, nginxConfiguration } from "./nginx.ts";
import { isInstalled, type ServerProcess, startServerProcess } from "./server_process.ts";
import { type ConnectionFault, startProxy } from "./tcp_proxy.ts";

const ARCHIVE_BYTES = 3_000_000;

const isMissing = !await isInstalled(NGINX.command);
if (isMissing) {
  if (Deno.env.get("CI") === "true") throw new Error("nginx is not installed, which CI requires");
  console.log("Skipped the tests with nginx, which is not installed");
}

/** A request to nginx, and the bytes that the client had received before it. */
interface StorageRequest {
  readonly loaded: number;
  readonly headers: Headers;
}

interface Outcome {
  /** The error of the download, if any. */
  readonly error: unknown;
  readonly archive: Uint8Array;
  readonly requests: readonly StorageRequest[];
  /** The archive of nginx at the end. */
  readonly expected: Uint8Array;
}

/** Starts an nginx that serves the files of its directory `root` with these directives. */
async function startStorage(directives: string): Promise<ServerProcess> {
  const storage = await startServerProcess({
    ...NGINX,
    configuration: (port) =>
      nginxConfiguration(port, "default_type application/gzip;", `root root; ${directives}`),
  });
  await Deno.mkdir(`${storage.directory}/root`);
  return storage;
}

/**
 * Downloads from an API that redirects to nginx behind a proxy.
 *
 * @param into Memory, or a stream, which cannot restart.
 * @param directives How nginx serves the archive.
 * @param faults The faults of the first connections to nginx.
 * @param isReplaced Whether nginx has another archive from the second connection on.
 */
async function download(
  into: "memory" | "stream",
  directives: string,
  faults: readonly ConnectionFault[],
  isReplaced = false,
): Promise<Outcome> {
  await using nginx = await startStorage(directives);
  const file = `${nginx.directory}/root/archive.tar.gz`;
  const fake = new FakeHpcai({ archiveBytes: ARCHIVE_BYTES });
  const [trainingRunId = ""] = fake.trainingRunIds;
  const [first, second] = fake.checkpoints(trainingRunId);
  assert(first !== undefined && second !== undefined);
  let expected = fake.archive(trainingRunId, first.checkpointId).slice();
  await Deno.writeFile(file, expected);

  let connections = 0;
  await using storage = await startProxy(nginx.url, () => {
    if (isReplaced && connections === 1) {
      expected = fake.archive(trainingRunId, second.checkpointId).slice();
      Deno.writeFileSync(file, expected);
      // nginx derives the ETag from the size and the time, in whole seconds.
      Deno.utimeSync(file, 0, 0);
    }
    return faults[connections++] ?? {};
  });
  const location = `${storage.url}/archive.tar.gz?signature=signed`;
  fake.faults.add({ type: "redirect", location }, { on: "archive", times: Infinity });
  await using api = serve(fake.handler);

  // One connection for each request, so that each fault applies to one request.
  using http = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  const requests: StorageRequest[] = [];
  let loaded = 0;
  const client = new RestClient({
    apiKey: fake.apiKey,
    baseUrl: api.url,
    retry: { initialDelayMs: 0, maxDelayMs: 0 },
    fetch: (input, init) => {
      if (String(input) === location) {
        requests.push({ loaded, headers: new Headers(init?.headers) });
      }
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
  const written = await new Blob(chunks).bytes();
  return { error, archive: body ?? written, requests, expected };
}

function nginxTest(name: string, test: () => Promise<void>): void {
  Deno.test({ name, ignore: isMissing, fn: test });
}

/** With a content coding nginx sends a weak ETag, no length and no ranges. */
const COMPRESSING = "gzip on; gzip_types *; gzip_comp_level 1;";

const CUT: ConnectionFault = { bytes: 1_000_000, ending: "close" };

for (const into of ["memory", "stream"] as const) {
  nginxTest(
    `download$ into ${into} resumes over ended, reset, stalled and slow connections to nginx`,
    async () => {
      const { error, archive, requests, expected } = await download(into, "", [
        { bytes: 100, ending: "close" },
        { bytes: 400_000, ending: "close", chunkDelayMs: 1 },
        { bytes: 500_000, ending: "reset", chunkDelayMs: 1 },
        { bytes: 600_000, ending: "stall" },
        { bytes: 0, ending: "reset" },
        { chunkDelayMs: 2 },
      ]);
      assertEquals(error, undefined);
      assertEquals(archive, expected);
      assertEquals(requests.length, 6);
      for (const { loaded, headers } of requests) {
        assertEquals(headers.get("Range"), loaded === 0 ? null : `bytes=${loaded}-`);
        if (loaded > 0) assertMatch(headers.get("If-Range") ?? "", /^"[\da-f]+-[\da-f]+"$/);
        assertEquals(headers.has("X-API-Key"), false);
      }
    },
  );

  nginxTest(
    `download$ into ${into} completes when nginx ignores Range`,
    async () => {
      const { error, archive, requests, expected } = await download(into, "max_ranges 0;", [
        CUT,
        CUT,
      ]);
      assertEquals(error, undefined);
      assertEquals(archive, expected);
      assertEquals(requests.map(({ headers }) => headers.has("Range")), [false, true, true]);
    },
  );

  nginxTest(
    `download$ into ${into} resumes when nginx compresses on request`,
    async () => {
      const { error, archive, requests, expected } = await download(into, COMPRESSING, [CUT]);
      assertEquals(error, undefined);
      assertEquals(archive, expected);
      assertEquals(requests.map(({ headers }) => headers.has("Range")), [false, true]);
      for (const { headers } of requests) assertEquals(headers.get("Accept-Encoding"), "identity");
    },
  );
}

const NOT_RESUMABLE = {
  "nginx replaces the archive": { directives: "", isReplaced: true },
  "nginx sends no ETag": { directives: "etag off;", isReplaced: false },
};
for (const [condition, { directives, isReplaced }] of Object.entries(NOT_RESUMABLE)) {
  nginxTest(`download$ into memory restarts when ${condition}`, async () => {
    const { error, archive, requests, expected } = await download(
      "memory",
      directives,
      [CUT],
      isReplaced,
    );
    assertEquals(error, undefined);
    assertEquals(archive, expected);
    assertEquals(requests.map(({ headers }) => headers.has("Range")), [false, isReplaced]);
  });

  nginxTest(`download$ into a stream fails at the byte reached when ${condition}`, async () => {
    const { error, archive, requests } = await download("stream", directives, [CUT], isReplaced);
    assert(error instanceof DownloadInterruptedError);
    assertEquals(archive.byteLength, error.loaded);
    assertEquals(requests.length, isReplaced ? 2 : 1);
  });
}
