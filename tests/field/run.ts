/**
 * `deno task test:field`: downloads through reverse proxies that compress archives. Fails unless each
 * proxy compresses on request, and the client still gets the length, resumes after a lost connection,
 * and gets the same bytes. The table also shows a client without `Accept-Encoding: identity`. A proxy
 * that is not installed is a failure in CI and is skipped elsewhere.
 */
import { RestClient, type RestClientOptions } from "@hpcai/rx";
import { FakeHpcai } from "@hpcai/rx/testing";
import { createHash } from "node:crypto";
import { lastValueFrom, tap } from "rxjs";
import { serve } from "../integration/loopback_server.ts";
import { isInstalled, startServerProcess } from "../integration/server_process.ts";
import { startProxy } from "../integration/tcp_proxy.ts";
import { REVERSE_PROXIES, type ReverseProxy } from "./reverse_proxies.ts";

const ARCHIVE_BYTES = 64 * 1024 ** 2;
const CUT_AT_BYTES = ARCHIVE_BYTES / 2;

/** The server of an archive, which records its requests. */
interface Origin extends AsyncDisposable {
  readonly fake: FakeHpcai;
  readonly port: number;
  readonly checkpoint: { readonly trainingRunId: string; readonly checkpointId: string };
  readonly sha256: string;
  readonly etag: string | null;
}

async function startOrigin(): Promise<Origin> {
  const fake = new FakeHpcai({ archiveBytes: ARCHIVE_BYTES });
  const server = serve(fake.handler);
  const [trainingRunId = ""] = fake.trainingRunIds;
  const checkpointId = fake.checkpoints(trainingRunId)[0]?.checkpointId ?? "";
  const archive = await fetch(archiveUrl(server.url), {
    headers: { "X-API-Key": fake.apiKey, "Accept-Encoding": "identity" },
  });
  const sha256 = createHash("sha256").update(await archive.bytes()).digest("hex");
  return {
    fake,
    port: Number(new URL(server.url).port),
    checkpoint: { trainingRunId, checkpointId },
    sha256,
    etag: archive.headers.get("ETag"),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };

  function archiveUrl(url: string): string {
    return `${url}/api/v1/training_runs/${trainingRunId}/checkpoints/${checkpointId}/archive`;
  }
}

/** The result of a download. */
interface Outcome {
  readonly error: unknown;
  /** The `total` of the progress events. */
  readonly total: number | undefined;
  readonly sha256: string;
  readonly bytesPerSecond: number;
  /** The `Range` and `If-Range` of each request to the origin. */
  readonly ranges: readonly { range: string | null; ifRange: string | null }[];
}

/** Downloads into a stream, which cannot restart. */
async function download(
  { fake, checkpoint }: Origin,
  baseUrl: string,
  options: RestClientOptions = {},
): Promise<Outcome> {
  const client = new RestClient({ apiKey: fake.apiKey, baseUrl, ...options });
  const hash = createHash("sha256");
  const to = new WritableStream<Uint8Array>({ write: (chunk) => void hash.update(chunk) });
  const previousRequests = fake.requests.length;
  const startedAt = performance.now();
  let total: number | undefined;
  let error: unknown;
  try {
    const events$ = client.download$(checkpoint, { to });
    await lastValueFrom(events$.pipe(tap((event) => {
      if (event.type === "progress") total = event.total;
    })));
  } catch (thrown) {
    error = thrown;
  }
  return {
    error,
    total,
    sha256: hash.digest("hex"),
    bytesPerSecond: ARCHIVE_BYTES / (performance.now() - startedAt) * 1000,
    ranges: fake.requests.slice(previousRequests).map(({ headers }) => ({
      range: headers.get("Range"),
      ifRange: headers.get("If-Range"),
    })),
  };
}

/** Downloads through a TCP proxy that resets the first connection half-way. */
async function downloadWithCut(
  origin: Origin,
  baseUrl: string,
  options?: RestClientOptions,
): Promise<Outcome> {
  let connections = 0;
  await using cut = await startProxy(
    baseUrl,
    () => connections++ === 0 ? { bytes: CUT_AT_BYTES, ending: "reset" } : {},
  );
  return await download(origin, cut.url, options);
}

/** Whether a proxy compresses the archive on request. */
async function isCompressed(
  { fake, checkpoint: { trainingRunId, checkpointId } }: Origin,
  url: string,
): Promise<boolean> {
  const path = `api/v1/training_runs/${trainingRunId}/checkpoints/${checkpointId}/archive`;
  const curl = new Deno.Command("curl", {
    args: [
      ...["--silent", "--show-error", "--max-time", "60"],
      ...["--dump-header", "-", "--output", "/dev/null"],
      ...["--header", "Accept-Encoding: gzip", "--header", `X-API-Key: ${fake.apiKey}`],
      `${url}/${path}`,
    ],
    stderr: "inherit",
  });
  const { success, stdout } = await curl.output();
  if (!success) throw new Error("curl failed");
  return /^content-encoding: gzip\r?$/im.test(new TextDecoder().decode(stdout));
}

/** The platform's `fetch` with its own `Accept-Encoding`, which requests compression. */
const compressingFetch: typeof fetch = (url, init) => {
  const headers = new Headers(init?.headers);
  headers.delete("Accept-Encoding");
  return fetch(url, { ...init, headers });
};

/** A row of the table, and the failures in it. */
interface Result {
  readonly row: Readonly<Record<string, string>>;
  readonly problems: readonly string[];
}

async function testProxy(proxy: ReverseProxy, origin: Origin): Promise<Result> {
  await using running = await startServerProcess(proxy.program(origin.port));
  const isCompressing = await isCompressed(origin, running.url);
  const complete = await download(origin, running.url);
  const cut = await downloadWithCut(origin, running.url);
  const compressed = await download(origin, running.url, { fetch: compressingFetch });
  const compressedCut = await downloadWithCut(origin, running.url, { fetch: compressingFetch });

  const [first, second, ...others] = cut.ranges;
  const isResumed = first?.range === null && second?.range?.startsWith("bytes=") === true &&
    second.ifRange === origin.etag && others.length === 0;
  const isLengthKnown = complete.total === ARCHIVE_BYTES && cut.total === ARCHIVE_BYTES;
  const isEqual = [complete, cut].every(({ error, sha256 }) =>
    error === undefined && sha256 === origin.sha256
  );
  const checks: Record<string, boolean> = {
    "compresses on request": isCompressing,
    "length known": isLengthKnown,
    "resumed": isResumed,
    "sha256 equal": isEqual,
  };
  const problems = Object.entries(checks).filter(([, ok]) => !ok).map(([name]) => name);
  const errors = [complete, cut].flatMap(({ error }) => error === undefined ? [] : [`${error}`]);
  return {
    row: {
      ...Object.fromEntries(Object.entries(checks).map(([name, ok]) => [name, toYesNo(ok)])),
      "MB/s": megabytes(complete),
      "header off: length known": toYesNo(compressed.total === ARCHIVE_BYTES),
      "header off: resumed": toYesNo(compressedCut.error === undefined),
      "header off: MB/s": megabytes(compressed),
    },
    problems: [...problems, ...errors],
  };
}

const toYesNo = (is: boolean) => is ? "yes" : "no";
const megabytes = ({ bytesPerSecond }: Outcome) => (bytesPerSecond / 1e6).toFixed(0);

await using origin = await startOrigin();
const rows: Record<string, Result["row"]> = {};
const problems: string[] = [];
for (const proxy of REVERSE_PROXIES) {
  if (!await isInstalled(proxy.program(origin.port).command)) {
    const notice = `${proxy.name} is not installed (apt-get install ${proxy.debianPackage})`;
    if (Deno.env.get("CI") === "true") problems.push(notice);
    else console.log(`Skipped: ${notice}`);
    continue;
  }
  const result = await testProxy(proxy, origin);
  rows[proxy.name] = result.row;
  problems.push(...result.problems.map((problem) => `${proxy.name}: ${problem}`));
}
console.table(rows);
for (const problem of problems) console.error(`Failed: ${problem}`);
Deno.exitCode = problems.length === 0 ? 0 : 1;
