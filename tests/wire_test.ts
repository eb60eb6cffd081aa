import { assertEquals } from "@std/assert";
import * as v from "valibot";
import { trainingRun, trainingRunsResponse } from "../src/wire.ts";

const wireCheckpoint = {
  checkpoint_id: "step_0010",
  checkpoint_type: "training",
  time: "2026-01-07T10:19:18.123456Z",
  checkpoint_path: "hpcai://r/weights/step_0010",
};
const wireRun = {
  training_run_id: "r",
  base_model: "Qwen/Qwen3-8B",
  model_owner: "o",
  is_lora: true,
  corrupted: true,
  lora_rank: 16,
  last_request_time: "2026-01-07T10:19:18Z",
  last_checkpoint: wireCheckpoint,
  last_sampler_checkpoint: null,
};

/** The path of the first fault, or `undefined` if there is none. */
function faultPath(wire: unknown): string | undefined {
  const result = v.safeParse(trainingRun, wire);
  return result.success ? undefined : v.getDotPath(result.issues[0]) ?? "";
}

Deno.test("every field of a training run has its camelCase equal", () => {
  assertEquals(v.parse(trainingRun, wireRun), {
    trainingRunId: "r",
    baseModel: "Qwen/Qwen3-8B",
    modelOwner: "o",
    isLora: true,
    corrupted: true,
    loraRank: 16,
    lastRequestTime: new Date("2026-01-07T10:19:18Z"),
    lastCheckpoint: {
      checkpointId: "step_0010",
      checkpointType: "training",
      time: new Date("2026-01-07T10:19:18.123Z"),
      checkpointPath: "hpcai://r/weights/step_0010",
    },
    lastSamplerCheckpoint: null,
  });
});

Deno.test("absent optional fields are null, absent `corrupted` is false, unknown fields are ignored", () => {
  const {
    corrupted: _c,
    lora_rank: _l,
    last_checkpoint: _lc,
    last_sampler_checkpoint: _ls,
    ...rest
  } = wireRun;
  const parsed = v.parse(trainingRun, { ...rest, user_metadata: { a: 1 } });
  assertEquals(parsed, {
    trainingRunId: "r",
    baseModel: "Qwen/Qwen3-8B",
    modelOwner: "o",
    isLora: true,
    corrupted: false,
    loraRank: null,
    lastRequestTime: new Date("2026-01-07T10:19:18Z"),
    lastCheckpoint: null,
    lastSamplerCheckpoint: null,
  });
});

for (
  const [text, utc] of [
    ["2026-01-07T10:19:18.123456", "2026-01-07T10:19:18.123Z"],
    ["2026-01-07T10:19:18", "2026-01-07T10:19:18.000Z"],
    ["2026-01-07 10:19:18.5", "2026-01-07T10:19:18.500Z"],
    ["2026-01-07T10:19:18.123456Z", "2026-01-07T10:19:18.123Z"],
    ["2026-01-07T10:19:18.123456+00:00", "2026-01-07T10:19:18.123Z"],
    ["2026-01-07T12:19:18+02:00", "2026-01-07T10:19:18.000Z"],
  ] as const
) {
  Deno.test(`the timestamp ${text} is ${utc}, wherever it is read`, () => {
    const { lastRequestTime } = v.parse(trainingRun, { ...wireRun, last_request_time: text });
    assertEquals(lastRequestTime.toISOString(), utc);
  });
}

for (const text of ["", "yesterday", "2026-01-07", "2026-13-07T10:19:18Z", "1767781158"]) {
  Deno.test(`${JSON.stringify(text)} is no timestamp`, () => {
    assertEquals(faultPath({ ...wireRun, last_request_time: text }), "last_request_time");
  });
}

Deno.test("a fault is found where it is", () => {
  assertEquals(faultPath({ ...wireRun, is_lora: "yes" }), "is_lora");
  assertEquals(
    faultPath({ ...wireRun, last_checkpoint: { ...wireCheckpoint, checkpoint_type: "other" } }),
    "last_checkpoint.checkpoint_type",
  );
  assertEquals(faultPath(null), "");
});

Deno.test("a cursor counts in whole numbers of at least 0", () => {
  const page = (total_count: unknown) =>
    v.safeParse(trainingRunsResponse, {
      training_runs: [],
      cursor: { offset: 0, limit: 20, total_count },
    }).success;
  assertEquals([0, 7, -1, 1.5, "7"].map(page), [true, true, false, false, false]);
});
