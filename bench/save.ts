/**
 * `deno task bench:save`: compares `saveArchive$` with bare `fetch` piped into a file on the same loopback
 * server and disk in the same run, and measures the peak memory of a process that saves 2 GiB, runtime
 * included. Prints tables without a verdict.
 */
import { RestClient } from "@hpcai/rx";
import { saveArchive$, type SaveOptions } from "@hpcai/rx/fs";
import { lastValueFrom } from "rxjs";
import { type FakeApi, startFakeApi } from "./fake_api_process.ts";
import { fetchArchive } from "./fetch_archive.ts";
import { comparePaired, type PairedComparison, toRow } from "./paired_comparison.ts";
import { peakMib } from "./peak_memory.ts";

const MIB = 1024 ** 2;
const ARCHIVE_BYTES = 256 * MIB;
const LARGE_ARCHIVE_BYTES = 2048 * MIB;
const PAIRS = 20;
const MEMORY_ROUNDS = 3;

async function compareSaving(
  { apiKey, baseUrl, checkpoint, ...api }: FakeApi,
  directory: string,
  options: SaveOptions,
  isSynced: boolean,
): Promise<PairedComparison> {
  const client = new RestClient({ apiKey, baseUrl });
  const path = `${directory}/archive.tar.gz`;
  return await comparePaired(
    async () => {
      await lastValueFrom(saveArchive$(client, checkpoint, path, options));
      await Deno.remove(path);
    },
    async () => {
      const file = await Deno.create(path);
      const { body } = await fetchArchive({ ...api, apiKey, baseUrl, checkpoint });
      await body?.pipeTo(file.writable, { preventClose: true });
      if (isSynced) await file.sync();
      file.close();
      await Deno.remove(path);
    },
    { pairs: PAIRS, warmUps: 2 },
  );
}

/** The peak memory of each of several new processes, in MiB. */
async function peaksMib(api: FakeApi, directory: string): Promise<number[]> {
  const permissions = [`--allow-read=${directory}`, `--allow-write=${directory}`];
  const args = [`${directory}/archive.tar.gz`, JSON.stringify(api)];
  const peaks: number[] = [];
  for (let round = 0; round < MEMORY_ROUNDS; round++) {
    peaks.push(await peakMib("save_to_file.ts", permissions, args));
  }
  return peaks.sort((a, b) => a - b);
}

const directory = await Deno.makeTempDir();
try {
  // First, because on Linux a process inherits the peak of its parent.
  await using large = await startFakeApi({ archiveBytes: LARGE_ARCHIVE_BYTES });
  const peaks = (await peaksMib(large, directory)).map((peak) => peak.toFixed(1));
  console.log(`Peaks of processes that save 2 GiB, in MiB: ${peaks.join(", ")}; goal: under 150`);

  await using api = await startFakeApi({ archiveBytes: ARCHIVE_BYTES });
  const compare = (options: SaveOptions, isSynced: boolean) =>
    compareSaving(api, directory, options, isSynced);
  console.table({
    "saveArchive$ without sha256 / fetch + pipeTo(file) + fsync": toRow(
      await compare({ sha256: false }, true),
      1.05,
    ),
    "saveArchive$ with sha256 / fetch + pipeTo(file) + fsync": toRow(await compare({}, true)),
    "saveArchive$ without sha256 / fetch + pipeTo(file)": toRow(
      await compare({ sha256: false }, false),
    ),
  });
} finally {
  await Deno.remove(directory, { recursive: true });
}
