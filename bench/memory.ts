/**
 * `deno task bench:memory`: the most memory that a process takes, runtime and all, which downloads a
 * 2 GiB archive into a sink that keeps nothing. Beside it what bare `fetch` takes with the same
 * modules loaded. Each time in a new process, since a peak never falls. Prints a table; judges
 * nothing.
 */
import { type FakeApi, startFakeApi } from "./fake_api_process.ts";

const ARCHIVE_BYTES = 2 * 1024 ** 3;
const ROUNDS = 9;
const GOAL_MIB = 150;

async function peakMib(by: "ours" | "fetch", api: FakeApi): Promise<number> {
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--allow-net=127.0.0.1",
      new URL("download_to_nowhere.ts", import.meta.url).href,
      by,
      JSON.stringify(api),
    ],
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`The download by ${by} failed`);
  return Number(new TextDecoder().decode(stdout)) / 1024;
}

function row(peaks: readonly number[]) {
  const sorted = peaks.toSorted((a, b) => a - b).map((peak) => peak.toFixed(1));
  return {
    "median, MiB": sorted[Math.floor(sorted.length / 2)],
    "least": sorted.at(0),
    "most": sorted.at(-1),
    "goal": `under ${GOAL_MIB}`,
  };
}

await using api = await startFakeApi({ archiveBytes: ARCHIVE_BYTES });
const ours: number[] = [];
const bare: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  ours.push(await peakMib("ours", api));
  bare.push(await peakMib("fetch", api));
}
console.table({ "download$": row(ours), "fetch + pipeTo()": row(bare) });
