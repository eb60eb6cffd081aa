/**
 * `deno task bench:extract`: what extracting costs over `curl | tar xz`, on the same loopback server
 * and disk in the same run; and the most memory that a process takes, runtime and all, which extracts
 * 2 GiB. Prints a table; judges nothing.
 */
import { RestClient } from "@hpcai/rx";
import { extractArchive$ } from "@hpcai/rx/fs";
import { lastValueFrom } from "rxjs";
import { type FakeApi, startFakeApi } from "./fake_api_process.ts";
import { comparePaired, type PairedComparison } from "./paired_comparison.ts";

const MIB = 1024 ** 2;
const ARCHIVE_BYTES = 512 * MIB;
const LARGE_ARCHIVE_BYTES = 2048 * MIB;
const PAIRS = 10;
const GOAL = 1.3;

async function run(command: string, ...args: string[]): Promise<string> {
  const { success, stdout } = await new Deno.Command(command, { args, stderr: "inherit" }).output();
  if (!success) throw new Error(`Failed: ${command}`);
  return new TextDecoder().decode(stdout);
}

/** In MiB, of a new process, since a peak never falls. */
async function peakMib(api: FakeApi, directory: string): Promise<number> {
  const program = new URL("extract_to_directory.ts", import.meta.url).href;
  const permissions = ["--allow-net=127.0.0.1", "--allow-read", `--allow-write=${directory}`];
  const args = ["run", "--no-prompt", ...permissions, program];
  return Number(await run(Deno.execPath(), ...args, `${directory}/peak`, JSON.stringify(api))) /
    1024;
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
      await run("sh", "-c", pipe, apiKey, url, target);
      await Deno.remove(target, { recursive: true });
    },
    { pairs: PAIRS, warmUps: 1 },
  );
}

const directory = await Deno.makeTempDir();
try {
  // First: on Linux a process inherits the peak of the one that starts it.
  await using large = await startFakeApi({ archiveBytes: LARGE_ARCHIVE_BYTES });
  const peak = await peakMib(large, directory);
  console.log(`Peak of a process that extracts 2 GiB: ${peak.toFixed(1)} MiB; goal: under 150`);

  await using api = await startFakeApi({ archiveBytes: ARCHIVE_BYTES });
  const { oursMs, peerMs, ratio } = await compareExtraction(api, directory);
  console.table({
    [`extractArchive$ of ${ARCHIVE_BYTES / MIB} MiB / curl | tar xz`]: {
      "ours, ms": oursMs.toFixed(0),
      "curl | tar, ms": peerMs.toFixed(0),
      "ratio": ratio.median.toFixed(3),
      "middle half": `${ratio.lower.toFixed(3)} to ${ratio.upper.toFixed(3)}`,
      "goal": GOAL,
    },
  });
} finally {
  await Deno.remove(directory, { recursive: true });
}
