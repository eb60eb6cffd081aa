/**
 * `deno task test:field`: the client behind the HTTP servers of the field, all of which have compression
 * on for archives. Shows for each that it would compress, and that the client still learns the length,
 * resumes after a lost connection, and gets the same bytes; below that, what a client gets that lets
 * `fetch` ask for compression. In CI a server that is not installed is a failure; elsewhere it is
 * skipped.
 */
import { RestClient, type RestClientOptions } from "@hpcai/rx";
import { FakeHpcai } from "@hpcai/rx/testing";
import { createHash } from "node:crypto";
import { lastValueFrom, tap } from "rxjs";
import { proxy } from "../integration/tcp_proxy.ts";
import { type Front, FRONTS, isInstalled, startFront } from "./fronts.ts";

const ARCHIVE_BYTES = 64 * 1024 ** 2;
const CUT_AT_BYTES = ARCHIVE_BYTES / 2;

/** An archive, the server that has it, and what the server was asked for. */
interface Origin extends AsyncDisposable {
  readonly fake: FakeHpcai;
  readonly port: number;
  readonly checkpoint: { readonly trainingRunId: string; readonly checkpointId: string };
  readonly sha256: string;
  readonly etag: string | null;
}

async function startOrigin(): Promise<Origin> {
  const fake = new FakeHpcai({ archiveBytes: ARCHIVE_BYTES });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, fake.handler);
  const [trainingRunId = ""] = fake.trainingRunIds;
  const checkpointId = fake.checkpoints(trainingRunId)[0]?.checkpointId ?? "";
  const archive = await fetch(archiveUrl(`http://127.0.0.1:${server.addr.port}`), {
    headers: { "X-API-Key": fake.apiKey, "Accept-Encoding": "identity" },
  });
  const sha256 = createHash("sha256").update(await archive.bytes()).digest("hex");
  return {
    fake,
    port: server.addr.port,
    checkpoint: { trainingRunId, checkpointId },
    sha256,
    etag: archive.headers.get("ETag"),
    [Symbol.asyncDispose]: () => server.shutdown(),
  };

  function archiveUrl(url: string): string {
    return `${url}/api/v1/training_runs/${trainingRunId}/checkpoints/${checkpointId}/archive`;
  }
}

/** What became of one download. */
interface Outcome {
  readonly error: unknown;
  /** What `progress` events gave as the length. */
  readonly total: number | undefined;
  readonly sha256: string;
  readonly bytesPerSecond: number;
  /** The ranges that the origin was asked for, with the tag that they were bound to. */
  readonly ranges: readonly { range: string | null; ifRange: string | null }[];
}

/** Downloads into a stream, which cannot take back what it has got. */
async function download(
  { fake, checkpoint }: Origin,
  baseUrl: string,
  options: RestClientOptions = {},
): Promise<Outcome> {
  const client = new RestClient({ apiKey: fake.apiKey, baseUrl, ...options });
  const hash = createHash("sha256");
  const to = new WritableStream<Uint8Array>({ write: (chunk) => void hash.update(chunk) });
  const asked = fake.requests.length;
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
    ranges: fake.requests.slice(asked).map(({ headers }) => ({
      range: headers.get("Range"),
      ifRange: headers.get("If-Range"),
    })),
  };
}

/** The same through a proxy that resets the first connection half-way. */
async function downloadWithCut(
  origin: Origin,
  baseUrl: string,
  options?: RestClientOptions,
): Promise<Outcome> {
  let connections = 0;
  await using cut = await proxy(
    baseUrl,
    () => connections++ === 0 ? { bytes: CUT_AT_BYTES, ending: "reset" } : {},
  );
  return await download(origin, cut.url, options);
}

/** Whether the front compresses the archive for a client that asks for it. */
async function compresses(
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
  if (!success) throw new Error("curl has failed");
  return /^content-encoding: gzip\r?$/im.test(new TextDecoder().decode(stdout));
}

/** What `fetch` does by itself: it asks for any compression that it can decode. */
const compressingFetch: typeof fetch = (url, init) => {
  const headers = new Headers(init?.headers);
  headers.delete("Accept-Encoding");
  return fetch(url, { ...init, headers });
};

/** A row of the table, and what is wrong in it. */
interface Result {
  readonly row: Readonly<Record<string, string>>;
  readonly problems: readonly string[];
}

async function tryFront(front: Front, origin: Origin): Promise<Result> {
  await using running = await startFront(front, origin.port);
  const isCompressing = await compresses(origin, running.url);
  const whole = await download(origin, running.url);
  const cut = await downloadWithCut(origin, running.url);
  const compressed = await download(origin, running.url, { fetch: compressingFetch });
  const compressedCut = await downloadWithCut(origin, running.url, { fetch: compressingFetch });

  const [first, second, ...others] = cut.ranges;
  const isResumed = first?.range === null && second?.range?.startsWith("bytes=") === true &&
    second.ifRange === origin.etag && others.length === 0;
  const isKnown = whole.total === ARCHIVE_BYTES && cut.total === ARCHIVE_BYTES;
  const isEqual = [whole, cut].every(({ error, sha256 }) =>
    error === undefined && sha256 === origin.sha256
  );
  const isExpected: Record<string, boolean> = {
    "compresses when asked": isCompressing,
    "length known": isKnown,
    "resumed": isResumed,
    "sha256 equal": isEqual,
  };
  const problems = Object.entries(isExpected).filter(([, ok]) => !ok).map(([name]) => name);
  const errors = [whole, cut].flatMap(({ error }) => error === undefined ? [] : [`${error}`]);
  return {
    row: {
      ...Object.fromEntries(Object.entries(isExpected).map(([name, ok]) => [name, yesNo(ok)])),
      "MB/s": megabytes(whole),
      "header off: length known": yesNo(compressed.total === ARCHIVE_BYTES),
      "header off: survives the cut": yesNo(compressedCut.error === undefined),
      "header off: MB/s": megabytes(compressed),
    },
    problems: [...problems, ...errors],
  };
}

const yesNo = (is: boolean) => is ? "yes" : "no";
const megabytes = ({ bytesPerSecond }: Outcome) => (bytesPerSecond / 1e6).toFixed(0);

await using origin = await startOrigin();
const rows: Record<string, Result["row"]> = {};
const problems: string[] = [];
for (const front of FRONTS) {
  if (!await isInstalled(front)) {
    const notice = `${front.name} is not installed (apt-get install ${front.debianPackage})`;
    if (Deno.env.get("CI") === "true") problems.push(notice);
    else console.log(`Skipped: ${notice}`);
    continue;
  }
  const result = await tryFront(front, origin);
  rows[front.name] = result.row;
  problems.push(...result.problems.map((problem) => `${front.name}: ${problem}`));
}
console.table(rows);
for (const problem of problems) console.error(`Failed: ${problem}`);
Deno.exitCode = problems.length === 0 ? 0 : 1;
