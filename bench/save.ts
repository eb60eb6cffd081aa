/**
 * `deno task bench:save`: what saving costs over bare `fetch` piped into a file, on the same loopback
 * server and disk in the same run; and the most memory that a process takes, runtime and all, which
 * saves 2 GiB. Prints tables; judges nothing.
 */
import { RestClient } from "@hpcai/rx";
import { saveArchive$, type SaveOptions } from "@hpcai/rx/fs";
import { lastValueFrom } from "rxjs";
import { type FakeApi, startFakeApi } from "./fake_api_process.ts";
import { fetchArchive } from "./fetch_archive.ts";
import { comparePaired, type PairedComparison } from "./paired_comparison.ts";

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

/** The peak of each of a few new processes, in MiB, since a peak never falls. */
async function peaksMib(api: FakeApi, directory: string): Promise<number[]> {
  const peaks: number[] = [];
  for (let round = 0; round < MEMORY_ROUNDS; round++) {
    const { stdout, success } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        "--allow-net=127.0.0.1",
        `--allow-read=${directory}`,
        `--allow-write=${directory}`,
        new URL("save_to_file.ts", import.meta.url).href,
        `${directory}/archive.tar.gz`,
        JSON.stringify(api),
      ],
      stderr: "inherit",
    }).output();
    if (!success) throw new Error("The save failed");
    peaks.push(Number(new TextDecoder().decode(stdout)) / 1024);
  }
  return peaks.sort((a, b) => a - b);
}

function row({ oursMs, peerMs, ratio }: PairedComparison, goal?: number) {
  return {
    "ours, ms": oursMs.toFixed(0),
    "fetch, ms": peerMs.toFixed(0),
    "ratio": ratio.median.toFixed(3),
    "middle half": `${ratio.lower.toFixed(3)} to ${ratio.upper.toFixed(3)}`,
    "goal": goal ?? "",
  };
}

const directory = await Deno.makeTempDir();
try {
  // First: on Linux a process inherits the peak of the one that starts it.
  await using large = await startFakeApi({ archiveBytes: LARGE_ARCHIVE_BYTES });
  const peaks = (await peaksMib(large, directory)).map((peak) => peak.toFixed(1));
  console.log(`Peaks of processes that save 2 GiB, in MiB: ${peaks.join(", ")}; goal: under 150`);

  await using api = await startFakeApi({ archiveBytes: ARCHIVE_BYTES });
  const compare = (options: SaveOptions, isSynced: boolean) =>
    compareSaving(api, directory, options, isSynced);
  console.table({
    "saveArchive$ without sha256 / fetch + pipeTo(file) + fsync": row(
      await compare({ sha256: false }, true),
      1.05,
    ),
    "saveArchive$ with sha256 / fetch + pipeTo(file) + fsync": row(await compare({}, true)),
    "saveArchive$ without sha256 / fetch + pipeTo(file)": row(
      await compare({ sha256: false }, false),
    ),
  });
} finally {
  await Deno.remove(directory, { recursive: true });
}
