import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import fc from "fast-check";
import type { Checkpoint, TrainingRun } from "../src/types.ts";
import { type Decode, JsonFault } from "../src/json.ts";
import { checkpointsPage, trainingRun, trainingRunsResponse } from "../src/wire.ts";

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

/** The first fault, or `undefined` if there is none. */
function faultOf(wire: unknown, decode: Decode<unknown>): JsonFault | undefined {
  try {
    decode(wire);
    return undefined;
  } catch (fault) {
    assertInstanceOf(fault, JsonFault);
    return fault;
  }
}

function faultPath(wire: unknown, decode: Decode<unknown> = trainingRun): string | undefined {
  return faultOf(wire, decode)?.path;
}

Deno.test("trainingRun decodes every field into camelCase", () => {
  assertEquals(trainingRun(wireRun), {
    trainingRunId: "r",
    baseModel: "Qwen/Qwen3-8B",
    modelOwner: "o",
    isLora: true,
    corrupted: true,
    loraRank: 16,
    lastRequestTime: new Date("2026-01-07T10:19:18Z"),
    lastCheckpoint: {
      trainingRunId: "r",
      checkpointId: "step_0010",
      checkpointType: "training",
      time: new Date("2026-01-07T10:19:18.123Z"),
      checkpointPath: "hpcai://r/weights/step_0010",
    },
    lastSamplerCheckpoint: null,
  });
});

for (const absent of [null, undefined]) {
  Deno.test(`trainingRun decodes optional fields that are ${absent ?? "absent"} as null, corrupted as false, extras as absent`, () => {
    const { training_run_id, base_model, is_lora } = wireRun;
    const optional = absent === undefined ? {} : {
      model_owner: absent,
      corrupted: absent,
      lora_rank: absent,
      last_request_time: absent,
      last_checkpoint: absent,
      last_sampler_checkpoint: absent,
      user_metadata: absent,
    };
    assertEquals(trainingRun({ training_run_id, base_model, is_lora, ...optional }), {
      trainingRunId: "r",
      baseModel: "Qwen/Qwen3-8B",
      modelOwner: null,
      isLora: true,
      corrupted: false,
      loraRank: null,
      lastRequestTime: null,
      lastCheckpoint: null,
      lastSamplerCheckpoint: null,
    });
  });
}

function decodeCheckpoint(wire: unknown): Checkpoint | undefined {
  return checkpointsPage("run")({ checkpoints: [wire] }).checkpoints[0];
}

Deno.test("checkpointsPage decodes a checkpoint without a time, and adds the run's id", () => {
  for (const time of [null, undefined]) {
    const { time: _, ...rest } = wireCheckpoint;
    assertEquals(decodeCheckpoint(time === null ? { ...rest, time } : rest), {
      trainingRunId: "run",
      checkpointId: "step_0010",
      checkpointType: "training",
      time: null,
      checkpointPath: "hpcai://r/weights/step_0010",
    });
  }
});

Deno.test("checkpointsPage reads tinker_path where checkpoint_path is absent or null", () => {
  const { checkpoint_path, ...rest } = wireCheckpoint;
  const tinker_path = "tinker://r/weights/step_0010";
  assertEquals(decodeCheckpoint({ ...rest, tinker_path })?.checkpointPath, tinker_path);
  const nulled = { ...rest, checkpoint_path: null, tinker_path };
  assertEquals(decodeCheckpoint(nulled)?.checkpointPath, tinker_path);
  const both = { ...rest, checkpoint_path, tinker_path: 7 };
  assertEquals(decodeCheckpoint(both)?.checkpointPath, checkpoint_path);
  const none = { checkpoints: [wireCheckpoint, rest] };
  assertEquals(faultPath(none, checkpointsPage("run")), "checkpoints[1].checkpoint_path");
});

Deno.test("trainingRun and checkpointsPage keep extras that the server sends", () => {
  const extras = { size_bytes: 2048, expires_at: "2026-02-01T00:00:00+00:00", public: false };
  const { sizeBytes, expiresAt, public: isPublic } =
    decodeCheckpoint({ ...wireCheckpoint, ...extras }) ?? {};
  assertEquals({ sizeBytes, expiresAt, isPublic }, {
    sizeBytes: 2048,
    expiresAt: new Date("2026-02-01T00:00:00Z"),
    isPublic: false,
  });
  const user_metadata = { seed: 7, tags: ["a"] };
  assertEquals(trainingRun({ ...wireRun, user_metadata }).userMetadata, user_metadata);
});

Deno.test("trainingRun and checkpointsPage drop malformed extras", () => {
  const plain = Object.keys(decodeCheckpoint(wireCheckpoint) ?? {});
  const malformed = [
    ...[-1, 0.5, "2048", null, {}].map((size_bytes) => ({ size_bytes })),
    ...["soon", true, {}, "2026-02-30T00:00:00Z"].map((expires_at) => ({ expires_at })),
    ...["yes", 1, null].map((isPublic) => ({ public: isPublic })),
  ];
  for (const extra of malformed) {
    assertEquals(Object.keys(decodeCheckpoint({ ...wireCheckpoint, ...extra }) ?? {}), plain);
  }
  for (const user_metadata of ["text", 7, [], null]) {
    assertEquals("userMetadata" in trainingRun({ ...wireRun, user_metadata }), false);
  }
});

for (
  const [time, utc] of [
    ["2026-01-07T10:19:18.123456", "2026-01-07T10:19:18.123Z"],
    ["2026-01-07T10:19:18", "2026-01-07T10:19:18.000Z"],
    ["2026-01-07 10:19:18.5", "2026-01-07T10:19:18.500Z"],
    ["2026-01-07T10:19:18.123456Z", "2026-01-07T10:19:18.123Z"],
    ["2026-01-07T10:19:18.123456+00:00", "2026-01-07T10:19:18.123Z"],
    ["2026-01-07T12:19:18+02:00", "2026-01-07T10:19:18.000Z"],
    ["2026-01-07T10:19:18+0000", "2026-01-07T10:19:18.000Z"],
    ["2026-01-07 10:19:18.123456+00", "2026-01-07T10:19:18.123Z"],
    ["2026-01-07t10:19:18z", "2026-01-07T10:19:18.000Z"],
    ["2026-01-07_10:19:18,25Z", "2026-01-07T10:19:18.250Z"],
    ["2026-01-07T10:19", "2026-01-07T10:19:00.000Z"],
    ["2026-01-07T10:19Z", "2026-01-07T10:19:00.000Z"],
    ["2026-01-07T10:19-0530", "2026-01-07T15:49:00.000Z"],
    ["2026-01-07T00:10:00+00:30", "2026-01-06T23:40:00.000Z"],
    ["2026-01-07T00:10:00-00:30", "2026-01-07T00:40:00.000Z"],
    ["2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"],
    ["2016-12-31T15:59:60.5-08:00", "2017-01-01T00:00:00.500Z"],
    ["2024-02-29T12:00:00Z", "2024-02-29T12:00:00.000Z"],
    ["0001-01-01T00:00:00", "0001-01-01T00:00:00.000Z"],
    ["9999-12-31T23:59:59.999999999", "9999-12-31T23:59:59.999Z"],
    [1767781158, "2026-01-07T10:19:18.000Z"],
    [1767781158.5, "2026-01-07T10:19:18.500Z"],
    [1767781158123, "2026-01-07T10:19:18.123Z"],
  ] as const
) {
  Deno.test(`trainingRun decodes the timestamp ${time} as ${utc}`, () => {
    const { lastRequestTime } = trainingRun({ ...wireRun, last_request_time: time });
    assertEquals(lastRequestTime?.toISOString(), utc);
  });
}

for (
  const time of [
    "",
    "yesterday",
    "2026-01-07",
    "2026-13-07T10:19:18Z",
    "2026-00-07T10:19:18Z",
    "2026-01-00T10:19:18Z",
    "2026-02-29T10:19:18Z",
    "2100-02-29T10:19:18Z",
    "2026-04-31T10:19:18Z",
    "2026-01-07T24:00:00Z",
    "2026-01-07T10:60:18Z",
    "2026-01-07T10:19:61Z",
    "2026-01-07T10:19:18.Z",
    "2026-01-07T10:19.5Z",
    "2026-01-07T10:19:18+24:00",
    "2026-01-07T10:19:18+00:60",
    "2026-01-07T10:19:18+0",
    "2026-01-07T10:19:18 Z",
    " 2026-01-07T10:19:18Z",
    "2026-01-07T10:19:18Z\n",
    "26-01-07T10:19:18Z",
    "1767781158",
    1e300,
    true,
    {},
  ]
) {
  Deno.test(`trainingRun rejects the timestamp ${JSON.stringify(time)}`, () => {
    assertEquals(faultPath({ ...wireRun, last_request_time: time }), "last_request_time");
  });
}

/** A time whose fraction of a second has this number of digits. */
function withFraction(iso: string, digits: number): string {
  return iso.replace(
    /\.(\d{3})Z$/,
    (_, ms) => digits === 0 ? "Z" : `.${`${ms}987654`.slice(0, digits)}Z`,
  );
}

Deno.test("trainingRun decodes every timestamp of ECMAScript as Date does", () => {
  const moments = fc.date({
    min: new Date("0000-01-01T00:00:00Z"),
    max: new Date("9999-12-31T23:59:59.999Z"),
    noInvalidDate: true,
  });
  const zones = fc.oneof(
    fc.constantFrom("Z", ""),
    fc.tuple(fc.constantFrom("+", "-"), fc.nat(23), fc.nat(59)).map(([sign, h, m]) =>
      `${sign}${String(h).padStart(2, "0")}:${String(m).padStart(2, "0")}`
    ),
  );
  fc.assert(
    fc.property(moments, fc.constantFrom(0, 3, 6, 9), zones, (moment, digits, zone) => {
      const local = withFraction(moment.toISOString(), digits).slice(0, -1);
      const { lastRequestTime } = trainingRun({
        ...wireRun,
        last_request_time: local + zone,
      });
      assertEquals(lastRequestTime, new Date(local + (zone || "Z")));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("trainingRun decodes every day of 800 years as Date does, and rejects days outside the calendar", () => {
  const two = (n: number) => String(n).padStart(2, "0");
  for (let year = 1600; year < 2400; year++) {
    for (let month = 1; month <= 12; month++) {
      for (const day of [1, 28, 29, 30, 31]) {
        const text = `${year}-${two(month)}-${two(day)}T00:00:00Z`;
        const exists = new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day;
        const wire = { ...wireRun, last_request_time: text };
        assertEquals(faultPath(wire) === undefined, exists, text);
        if (exists) assertEquals(trainingRun(wire).lastRequestTime?.getTime(), Date.parse(text));
      }
    }
  }
});

Deno.test("JsonFault has the path of the fault", () => {
  assertEquals(faultPath({ ...wireRun, is_lora: "yes" }), "is_lora");
  assertEquals(
    faultPath({ ...wireRun, last_checkpoint: { ...wireCheckpoint, checkpoint_type: 7 } }),
    "last_checkpoint.checkpoint_type",
  );
  assertEquals(faultPath(null), "");
});

Deno.test("trainingRunsResponse requires whole numbers of at least 0 in a cursor", () => {
  const page = (total_count: unknown) =>
    faultPath(
      { training_runs: [], cursor: { offset: 0, limit: 20, total_count } },
      trainingRunsResponse,
    ) === undefined;
  assertEquals([0, 7, -1, 1.5, "7"].map(page), [true, true, false, false, false]);
});

Deno.test("JsonFault shows a string, and only the kind of an object or array", () => {
  const problem = (fields: object) => faultOf({ ...wireRun, ...fields }, trainingRun)?.problem;
  assertEquals(problem({ base_model: ["a"] }), "expected a string, got an array");
  assertEquals(problem({ base_model: { a: [] } }), "expected a string, got an object");
  assertEquals(problem({ base_model: null }), "expected a string, got null");
  assertEquals(problem({ base_model: undefined }), "expected a string, got undefined");
  assertEquals(
    problem({ last_request_time: "soon" }),
    'expected a date and time as in RFC 3339, got "soon"',
  );
});

const word = fc.string({ minLength: 1 });
const anyTime = fc.constantFrom("2026-01-07T10:19:18Z", "2026-01-07T10:19", null);

/** Unknown fields with any JSON. */
const unknownFields = fc.dictionary(word.map((name) => `x-${name}`), fc.jsonValue());

const wireCheckpoints = fc.record({
  checkpoint_id: word,
  checkpoint_type: fc.oneof(fc.constantFrom("training", "sampler", "external"), word),
  time: anyTime,
  checkpoint_path: word,
});

const wireRuns = fc.record({
  training_run_id: word,
  base_model: word,
  model_owner: fc.option(word),
  is_lora: fc.boolean(),
  corrupted: fc.option(fc.boolean()),
  lora_rank: fc.option(fc.nat()),
  last_request_time: anyTime,
  last_checkpoint: fc.option(wireCheckpoints),
  last_sampler_checkpoint: fc.option(wireCheckpoints),
});

function wirePage(training_runs: readonly unknown[]) {
  return { training_runs, cursor: { offset: 0, limit: 20, total_count: training_runs.length } };
}

Deno.test("checkpointsPage keeps an unknown type of checkpoint", () => {
  fc.assert(fc.property(word, (checkpoint_type) => {
    const checkpoint = { ...wireCheckpoint, checkpoint_type };
    assertEquals(decodeCheckpoint(checkpoint)?.checkpointType, checkpoint_type);
    const run = trainingRun({ ...wireRun, last_checkpoint: checkpoint });
    assertEquals(run.lastCheckpoint?.checkpointType, checkpoint_type);
  }));
});

Deno.test("trainingRunsResponse ignores unknown fields in any object", () => {
  fc.assert(
    fc.property(fc.array(wireRuns), fc.array(unknownFields, { minLength: 4 }), (runs, fields) => {
      const at = (index: number) => fields[index % fields.length];
      const widened = {
        ...wirePage(runs.map((run, index) => ({
          ...at(index),
          ...run,
          last_checkpoint: run.last_checkpoint && { ...at(index + 1), ...run.last_checkpoint },
        }))),
        ...at(2),
      };
      widened.cursor = { ...at(3), ...widened.cursor };
      assertEquals(
        trainingRunsResponse(widened),
        trainingRunsResponse(wirePage(runs)),
      );
    }),
  );
});

Deno.test("trainingRunsResponse accepts null or nothing for every nullable field of any run", () => {
  const nullable = [
    "model_owner",
    "corrupted",
    "lora_rank",
    "last_request_time",
    "last_checkpoint",
    "last_sampler_checkpoint",
    "user_metadata",
  ];
  fc.assert(
    fc.property(
      fc.array(wireRuns, { minLength: 1 }),
      fc.nat(),
      fc.subarray(nullable),
      fc.boolean(),
      (runs, index, names, isAbsent) => {
        const odd = index % runs.length;
        const changed = runs.map((run, at) => {
          if (at !== odd) return run;
          const rest = Object.entries(run).filter(([name]) => !names.includes(name));
          return Object.fromEntries(
            isAbsent ? rest : [...rest, ...names.map((name) => [name, null])],
          );
        });
        const { trainingRuns } = trainingRunsResponse(wirePage(changed));
        assertEquals(trainingRuns.length, runs.length);
        const { trainingRuns: before } = trainingRunsResponse(wirePage(runs));
        const others = (all: readonly TrainingRun[]) => all.filter((_, at) => at !== odd);
        assertEquals(others(trainingRuns), others(before));
      },
    ),
  );
});

Deno.test("trainingRunsResponse rejects a page with one malformed run, with its path", () => {
  const required = ["training_run_id", "base_model", "is_lora"] as const;
  const wrong = fc.constantFrom(null, 7, {}, []);
  fc.assert(
    fc.property(
      fc.array(wireRuns, { minLength: 1 }),
      fc.nat(),
      fc.constantFrom(...required),
      wrong,
      (runs, index, name, value) => {
        const odd = index % runs.length;
        const page = wirePage(runs.map((run, at) => at === odd ? { ...run, [name]: value } : run));
        assertEquals(faultPath(page, trainingRunsResponse), `training_runs[${odd}].${name}`);
      },
    ),
  );
});

Deno.test("trainingRunsResponse rejects an element that is not an object, with its path", () => {
  fc.assert(
    fc.property(
      fc.array(wireCheckpoints),
      fc.nat(),
      fc.constantFrom(null, 7, "text", true),
      (checkpoints, index, element) => {
        const odd = index % (checkpoints.length + 1);
        const list = checkpoints.toSpliced(odd, 0, element as never); // A server can send any JSON.
        assertEquals(faultPath({ checkpoints: list }, checkpointsPage("r")), `checkpoints[${odd}]`);
      },
    ),
  );
});

Deno.test("checkpointsPage decodes the cursor, or null where there is none", () => {
  const cursorOf = (cursor?: unknown) => checkpointsPage("r")({ checkpoints: [], cursor }).cursor;
  assertEquals(cursorOf({ offset: 5, limit: 100, total_count: 7 }), {
    offset: 5,
    limit: 100,
    totalCount: 7,
  });
  assertEquals([cursorOf(null), cursorOf()], [null, null]);
  const malformed = { checkpoints: [], cursor: { next: "abc" } };
  assert(faultPath(malformed, checkpointsPage("r"))?.startsWith("cursor."));
});
