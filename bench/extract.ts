/**
 * `deno task bench:extract`: compares `extractArchive$` with `curl | tar xz` on the same loopback server
 * and disk in the same run, and measures the peak memory of a process that extracts 2 GiB, runtime
 * included. Prints tables without a verdict.
 */
import { RestClient } from "@hpcai/rx";
import { extractArchive$ } from "@hpcai/rx/fs";
import { lastValueFrom } from "rxjs";
import { type FakeApi, startFakeApi } from "./fake_api_process.ts";
import { comparePaired, type PairedComparison, toRow } from "./paired_comparison.ts";
import { peakMib } from "./peak_memory.ts";

const MIB = 1024 ** 2;
const ARCHIVE_BYTES = 512 * MIB;
const LARGE_ARCHIVE_BYTES = 2048 * MIB;
const PAIRS = 10;
const GOAL = 1.3;

/** Measures the peak memory of a new process, in MiB. */
function measurePeak(api: FakeApi, directory: string): Promise<number> {
  const permissions = ["--allow-read", `--allow-write=${directory}`];
  const args = [`${directory}/peak`, JSON.stringify(api)];
  return peakMib("extract_to_directory.ts", permissions, args);
}

async function compareExtraction(
  { apiKey, baseUrl, checkpoint }: FakeApi,
  directory: string,
): Promise<PairedComparison> {
  const client = new RestClient({ apiKey, baseUrl });
  const { trainingRunId, checkpointId } = checkpoint;
  const url =
    `${baseUrl}/api/v1/training_runs/${trainingRunId}/checkpoints/${checkpointId}/archive`;
  const target = `${directory}/extracted`;
  return await comparePaired(
    async () => {
      await lastValueFrom(extractArchive$(client, checkpoint, target));
      await Deno.remove(target, { recursive: true });
    },
    async () => {
      await Deno.mkdir(target);
      const pipe = 'curl -sS -H "X-API-Key: $0" "$1" | tar xz -C "$2"';
      const { success } = await new Deno.Command("sh", {
        args: ["-c", pipe, apiKey, url, target],
        stderr: "inherit",
      }).output();
      if (!success) throw new Error("curl | tar failed");
      await Deno.remove(target, { recursive: true });
    },
    { pairs: PAIRS, warmUps: 1 },
  );
}

const directory = await Deno.makeTempDir();
try {
  // First, because on Linux a process inherits the peak of its parent.
  await using large = await startFakeApi({ archiveBytes: LARGE_ARCHIVE_BYTES });
  const peak = await measurePeak(large, directory);
  console.log(`Peak of a process that extracts 2 GiB: ${peak.toFixed(1)} MiB; goal: under 150`);

  await using api = await startFakeApi({ archiveBytes: ARCHIVE_BYTES });
  console.table({
    [`extractArchive$ of ${ARCHIVE_BYTES / MIB} MiB / curl | tar xz`]: toRow(
      await compareExtraction(api, directory),
      GOAL,
    ),
  });
} finally {
  await Deno.remove(directory, { recursive: true });
}
