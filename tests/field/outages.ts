/**
 * `deno task test:outages [SECONDS …]`: runs ten calls and ten transfers for each outage of a server,
 * which closes its socket and all connections. Calls have to succeed despite an outage of 20 s,
 * transfers despite one of 60 s.
 */
import { ApiConnectionError, RestClient } from "@hpcai/rx";
import { saveArchive$ } from "@hpcai/rx/fs";
import { FakeHpcai } from "@hpcai/rx/testing";
import { filter, firstValueFrom, lastValueFrom, map } from "rxjs";

const DEFAULT_OUTAGES_S = [1, 10, 20, 60];
const COUNT = 10;
const ARCHIVE_BYTES = 2 * 1024 ** 2;
/** A transfer takes eight seconds; the outage starts half-way. */
const BYTES_PER_SECOND = ARCHIVE_BYTES / 8;
const BEFORE_MS = 3_000;
const MAX_OUTAGE_OF_CALLS_S = 20;

/** The result of a call or a transfer. */
interface Outcome {
  readonly error: unknown;
  readonly seconds: number;
}

/** A server that can stop and start again at the same port. */
function startServer(handler: (request: Request) => Promise<Response>) {
  let controller = new AbortController();
  const listen = (port: number) => {
    controller = new AbortController();
    const { signal } = controller;
    return Deno.serve({ hostname: "127.0.0.1", port, signal, onListen() {} }, handler);
  };
  let server = listen(0);
  const { port } = server.addr;
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      controller.abort();
      await server.finished;
    },
    start: () => void (server = listen(port)),
  };
}

async function measure(run: () => Promise<unknown>): Promise<Outcome> {
  const startedAt = performance.now();
  const error = await run().then(() => undefined, (error: unknown) => error);
  return { error, seconds: (performance.now() - startedAt) / 1000 };
}

async function runOutage(seconds: number, directory: string) {
  const fake = new FakeHpcai({ archiveBytes: ARCHIVE_BYTES, bytesPerSecond: BYTES_PER_SECOND });
  const server = startServer(fake.handler);
  const [trainingRunId = ""] = fake.trainingRunIds;
  const checkpointId = fake.checkpoints(trainingRunId)[0]?.checkpointId ?? "";
  const archive = fake.archive(trainingRunId, checkpointId).slice();
  const client = () => new RestClient({ apiKey: fake.apiKey, baseUrl: server.url });
  const transfers = Array.from({ length: COUNT }, (_, index) =>
    measure(async () => {
      const ids = { trainingRunId, checkpointId };
      const path = `${directory}/${seconds}-${index}.tar.gz`;
      const bytes = index % 2 === 0
        ? await lastValueFrom(
          client().download$(ids).pipe(
            filter((event) => event.type === "complete"),
            map(({ body }) => body),
          ),
        )
        : await lastValueFrom(saveArchive$(client(), ids, path)).then(() => Deno.readFile(path));
      const isEqual = bytes?.byteLength === archive.byteLength &&
        archive.every((byte, position) => byte === bytes[position]);
      if (!isEqual) throw new Error("The archive differs");
    }));
  await new Promise((resolve) => setTimeout(resolve, BEFORE_MS));
  await server.stop();
  const calls = Array.from(
    { length: COUNT },
    () => measure(() => firstValueFrom(client().listTrainingRuns$())),
  );
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  server.start();
  const outcomes = {
    seconds,
    calls: await Promise.all(calls),
    transfers: await Promise.all(transfers),
  };
  await server.stop();
  return outcomes;
}

function summary(outcomes: readonly Outcome[]): string {
  const failed = outcomes.filter(({ error }) => error !== undefined);
  const slowest = Math.max(...outcomes.map(({ seconds }) => seconds)).toFixed(1);
  const [reason] = failed.map(({ error }) => error instanceof Error ? error.name : String(error));
  return `${outcomes.length - failed.length} of ${outcomes.length}, ≤ ${slowest} s` +
    (reason === undefined ? "" : `, ${reason}`);
}

const outages = Deno.args.length > 0 ? Deno.args.map(Number) : DEFAULT_OUTAGES_S;
const directory = await Deno.makeTempDir();
try {
  const results = await Promise.all(outages.map((seconds) => runOutage(seconds, directory)));
  console.table(
    Object.fromEntries(results.map(({ seconds, calls, transfers }) => [
      `${seconds} s down`,
      { "calls succeeded": summary(calls), "transfers succeeded": summary(transfers) },
    ])),
  );
  const isPassed = results.every(({ seconds, calls, transfers }) =>
    transfers.every(({ error }) => error === undefined) &&
    calls.every(({ error }) =>
      error === undefined || seconds > MAX_OUTAGE_OF_CALLS_S && error instanceof ApiConnectionError
    )
  );
  if (!isPassed) Deno.exitCode = 1;
} finally {
  await Deno.remove(directory, { recursive: true });
}
