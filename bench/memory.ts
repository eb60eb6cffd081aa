/**
 * `deno task bench:memory`: measures the peak memory of a process that downloads and discards a 2 GiB
 * archive, runtime included, with `download$` and with bare `fetch` and the same modules. Each download
 * has a process of its own. Prints a table without a verdict.
 */
import { type FakeApi, startFakeApi } from "./fake_api_process.ts";
import { peakMib } from "./peak_memory.ts";

const ARCHIVE_BYTES = 2 * 1024 ** 3;
const ROUNDS = 9;
const GOAL_MIB = 150;

function measure(method: "download$" | "fetch", api: FakeApi): Promise<number> {
  return peakMib("download_and_discard.ts", [], [method, JSON.stringify(api)]);
}

function toRow(peaks: readonly number[]) {
  const sorted = peaks.toSorted((a, b) => a - b).map((peak) => peak.toFixed(1));
  return {
    "median, MiB": sorted[Math.floor(sorted.length / 2)],
    "minimum": sorted.at(0),
    "maximum": sorted.at(-1),
    "goal": `under ${GOAL_MIB}`,
  };
}

await using api = await startFakeApi({ archiveBytes: ARCHIVE_BYTES });
const ours: number[] = [];
const bare: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  ours.push(await measure("download$", api));
  bare.push(await measure("fetch", api));
}
console.table({ "download$": toRow(ours), "fetch + pipeTo()": toRow(bare) });
