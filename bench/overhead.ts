/**
 * `deno task bench`: compares the client with bare `fetch` on the same loopback server in the same run.
 * Prints a table without a verdict.
 */
import { RestClient } from "@hpcai/rx";
import { firstValueFrom, lastValueFrom } from "rxjs";
import { type FakeApi, startFakeApi } from "./fake_api_process.ts";
import { fetchArchive } from "./fetch_archive.ts";
import { comparePaired, type PairedComparison, toRow } from "./paired_comparison.ts";

const MIB = 1024 ** 2;
const ARCHIVE_BYTES = 512 * MIB;
const RUNS = 100;

const discardingStream = () => new WritableStream<Uint8Array>();

async function compareListing({ baseUrl, apiKey }: FakeApi): Promise<PairedComparison> {
  const client = new RestClient({ apiKey, baseUrl });
  const url = `${baseUrl}/api/v1/training_runs?limit=${RUNS}&offset=0`;
  const headers = { "X-API-Key": apiKey, "Accept": "application/json" };
  return await comparePaired(
    async () => void await firstValueFrom(client.listTrainingRuns$({ limit: RUNS })),
    async () => void await (await fetch(url, { headers })).json(),
    { pairs: 200, warmUps: 40, callsPerRun: 20 },
  );
}

async function compareDownload(api: FakeApi): Promise<PairedComparison> {
  const client = new RestClient({ apiKey: api.apiKey, baseUrl: api.baseUrl });
  return await comparePaired(
    async () =>
      void await lastValueFrom(client.download$(api.checkpoint, { to: discardingStream() })),
    async () => await (await fetchArchive(api)).body?.pipeTo(discardingStream()),
    { pairs: 30, warmUps: 2 },
  );
}

await using api = await startFakeApi({ trainingRuns: RUNS, archiveBytes: ARCHIVE_BYTES });
console.table({
  [`listTrainingRuns$ of ${RUNS} runs / fetch + json()`]: toRow(await compareListing(api), 1.15),
  [`download$ of ${ARCHIVE_BYTES / MIB} MiB / fetch + pipeTo()`]: toRow(
    await compareDownload(api),
    1.03,
  ),
});
