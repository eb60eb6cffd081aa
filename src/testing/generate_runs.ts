// This module is browser compatible.

import type { SeededRandom } from "./seeded_random.ts";
import type { StoredCheckpoint, StoredTrainingRun } from "./stored_training_run.ts";

/** The owner of every generated training run. */
export const MODEL_OWNER = "user-3f9c1a";

/** The time of the latest request, from the examples of the API reference. */
export const NEWEST_MICROS = Date.UTC(2026, 0, 7, 10, 19, 18) * 1000 + 123_456;

/** The run in the examples of the API reference. */
const FIRST_RUN_ID = "eb78693b-380d-40f8-a709-ffe0da185718";

const MINUTE_MICROS = 60_000_000;

/** Generates `count` training runs, latest activity first. */
export function generateRuns(
  count: number,
  random: SeededRandom,
  archiveBytes: number,
): StoredTrainingRun[] {
  let lastRequestMicros = NEWEST_MICROS;
  return Array.from({ length: count }, (_, i) => {
    const run = i === 0
      ? firstRun(random, archiveBytes)
      : randomRun(random, archiveBytes, lastRequestMicros);
    lastRequestMicros -= random.int(600 * MINUTE_MICROS) + 1;
    return run;
  });
}

function firstRun(random: SeededRandom, archiveBytes: number): StoredTrainingRun {
  return {
    id: FIRST_RUN_ID,
    baseModel: "Qwen/Qwen3-8B",
    modelOwner: MODEL_OWNER,
    isLora: true,
    loraRank: 32,
    corrupted: false,
    isSparse: false,
    lastRequestMicros: NEWEST_MICROS,
    checkpoints: checkpointsBefore(NEWEST_MICROS, random, archiveBytes, [
      ["step_0010", "training"],
      ["step_0010-sampler", "sampler"],
      ["step_0020", "training"],
      ["final", "training"],
    ]),
    fields: {},
  };
}

function randomRun(
  random: SeededRandom,
  archiveBytes: number,
  lastRequestMicros: number,
): StoredTrainingRun {
  // The API saves LoRA adapters only (API reference), so other runs have no checkpoints.
  const isLora = random.int(6) > 0;
  const steps = isLora ? random.int(4) : 0;
  const names: [string, "training" | "sampler"][] = Array.from(
    { length: steps },
    (_, i) => [`step_${String((i + 1) * 10).padStart(4, "0")}`, "training"],
  );
  if (steps > 1) names.push(["final", "training"]);
  if (steps > 0 && random.int(2) === 0) names.push(["final-sampler", "sampler"]);
  return {
    id: random.uuid(),
    baseModel: random.pick([
      "Qwen/Qwen3-8B",
      "Qwen/Qwen3-32B",
      "Qwen/Qwen3-4B-Instruct-2507",
      "meta-llama/Llama-3.1-8B-Instruct",
      "meta-llama/Llama-3.3-70B-Instruct",
    ]),
    modelOwner: MODEL_OWNER,
    isLora,
    loraRank: isLora ? random.pick([8, 16, 32, 64]) : null,
    corrupted: random.int(8) === 0,
    isSparse: random.int(3) === 0,
    lastRequestMicros,
    checkpoints: checkpointsBefore(lastRequestMicros, random, archiveBytes, names),
    fields: {},
  };
}

/** Checkpoints in the order of their times, the last of which precedes the run's last request. */
function checkpointsBefore(
  lastRequestMicros: number,
  random: SeededRandom,
  archiveBytes: number,
  names: readonly (readonly [string, "training" | "sampler"])[],
): StoredCheckpoint[] {
  let timeMicros = lastRequestMicros;
  return names.toReversed().map(([id, type]) => {
    timeMicros -= random.int(10 * MINUTE_MICROS) + 1;
    return { id, type, timeMicros, archiveBytes, fields: {} };
  }).reverse();
}
