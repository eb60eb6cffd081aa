import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import { InvalidArgumentError } from "../../src/errors.ts";
import { expiredCheckpoints, type RetentionRule } from "../../src/listing/expired_checkpoints.ts";
import type { Checkpoint, CheckpointType, RunCheckpoint } from "../../src/types.ts";
import { trainingRun } from "./changing_listing.ts";

const NOW = new Date(1_000);

function checkpoint(
  checkpointId: string,
  time: number | null,
  checkpointType: CheckpointType = "training",
  trainingRunId = "run",
): Checkpoint {
  return {
    trainingRunId,
    checkpointId,
    checkpointType,
    time: time === null ? null : new Date(time),
    checkpointPath: `hpcai://${trainingRunId}/${checkpointType}/${checkpointId}`,
  };
}

/** Adds a run to checkpoints; its `lastCheckpoint` is `last`. */
function runCheckpoints(checkpoints: readonly Checkpoint[], last?: Checkpoint): RunCheckpoint[] {
  const run = { ...trainingRun("run"), lastCheckpoint: last ?? null };
  return checkpoints.map((checkpoint) => ({ ...checkpoint, trainingRun: run }));
}

function ids(checkpoints: readonly Checkpoint[]): string {
  return checkpoints.map(({ checkpointId }) => checkpointId).join(" ");
}

const [a, b, c, d] = [
  checkpoint("a", 100),
  checkpoint("b", 200),
  checkpoint("c", 300),
  checkpoint("d", 400),
];

Deno.test("expiredCheckpoints returns all but the last N, in the order of the input", () => {
  assertEquals(ids(expiredCheckpoints(runCheckpoints([b, d, a, c]), { keepLast: 2 })), "b a");
});

Deno.test("expiredCheckpoints returns checkpoints older than maxAgeMs, but not one of exactly that age", () => {
  const rule = { maxAgeMs: 800, now: NOW };
  assertEquals(ids(expiredCheckpoints(runCheckpoints([a, b, c]), rule)), "a");
});

Deno.test("expiredCheckpoints with both conditions returns checkpoints that are neither among the last nor young", () => {
  const rule = { maxAgeMs: 700, now: NOW };
  assertEquals(
    ids(expiredCheckpoints(runCheckpoints([a, b, c, d]), { ...rule, keepLast: 1 })),
    "a b",
  );
  assertEquals(
    ids(expiredCheckpoints(runCheckpoints([a, b, c, d]), { ...rule, keepLast: 3 })),
    "a",
  );
});

Deno.test("expiredCheckpoints counts each type of each run separately", () => {
  const sampler = checkpoint("s", 50, "sampler");
  const other = { ...checkpoint("o", 10, "training", "other"), trainingRun: trainingRun("other") };
  assertEquals(
    ids(expiredCheckpoints([...runCheckpoints([a, sampler, b]), other], { keepLast: 1 })),
    "a",
  );
});

Deno.test("expiredCheckpoints keeps the id that sorts last of those with the same time", () => {
  const twins = runCheckpoints([checkpoint("x", 1), checkpoint("z", 1), checkpoint("y", 1)]);
  assertEquals(ids(expiredCheckpoints(twins, { keepLast: 1 })), "x y");
});

Deno.test("expiredCheckpoints keeps the run's lastCheckpoint and counts it by its time", () => {
  assertEquals(ids(expiredCheckpoints(runCheckpoints([a, b, c, d], a), { keepLast: 1 })), "b c");
  assertEquals(ids(expiredCheckpoints(runCheckpoints([a, b, c, d], d), { keepLast: 2 })), "a b");
});

Deno.test("expiredCheckpoints keeps the run's lastCheckpoint if its path is spelled differently", () => {
  const last = { ...a, checkpointPath: "hpcai://run/weights/a" };
  assertEquals(ids(expiredCheckpoints(runCheckpoints([a, b, c], last), { keepLast: 1 })), "b");
});

Deno.test("expiredCheckpoints keeps a checkpoint that shares its id with a kept one of another type", () => {
  const sampler = checkpoint("a", 950, "sampler");
  assertEquals(ids(expiredCheckpoints(runCheckpoints([a, sampler, b, c]), { keepLast: 1 })), "b");
  const rule = { maxAgeMs: 100, now: NOW };
  assertEquals(ids(expiredCheckpoints(runCheckpoints([a, sampler, b]), rule)), "b");
});

Deno.test("expiredCheckpoints counts a duplicate once", () => {
  assertEquals(ids(expiredCheckpoints(runCheckpoints([b, b, a, c]), { keepLast: 2 })), "a");
});

Deno.test("expiredCheckpoints neither returns nor counts checkpoints of unknown types", () => {
  const all = runCheckpoints([
    a,
    checkpoint("x", 50, "external"),
    checkpoint("y", 500, "external"),
    b,
  ]);
  assertEquals(ids(expiredCheckpoints(all, { keepLast: 1 })), "a");
  assertEquals(ids(expiredCheckpoints(all, { maxAgeMs: 0, now: NOW })), "a b");
});

Deno.test("expiredCheckpoints applies to the rule's types only", () => {
  const all = runCheckpoints([
    a,
    checkpoint("x", 50, "external"),
    checkpoint("y", 500, "external"),
    b,
  ]);
  assertEquals(ids(expiredCheckpoints(all, { keepLast: 1, types: ["external"] })), "x");
  const both = { keepLast: 1, types: ["external", "training"] };
  assertEquals(ids(expiredCheckpoints(all, both)), "a x");
  assertEquals(ids(expiredCheckpoints(all, { keepLast: 0, types: [] })), "");
});

Deno.test("expiredCheckpoints keeps a checkpoint that shares its id with one of an unknown type", () => {
  const all = runCheckpoints([a, checkpoint("a", 50, "external"), b]);
  assertEquals(ids(expiredCheckpoints(all, { keepLast: 0 })), "b");
});

Deno.test("expiredCheckpoints neither returns nor counts checkpoints without a time", () => {
  const timeless = checkpoint("t", null);
  assertEquals(ids(expiredCheckpoints(runCheckpoints([a, timeless, b, c]), { keepLast: 2 })), "a");
  assertEquals(ids(expiredCheckpoints(runCheckpoints([timeless]), { keepLast: 0 })), "");
  const rule = { maxAgeMs: 0, now: NOW };
  assertEquals(ids(expiredCheckpoints(runCheckpoints([a, timeless, timeless]), rule)), "a");
});

Deno.test("expiredCheckpoints keeps a checkpoint that is passed with a time and without", () => {
  for (const twins of [[a, checkpoint("a", null)], [checkpoint("a", null), a]]) {
    assertEquals(ids(expiredCheckpoints(runCheckpoints([...twins, b]), { keepLast: 0 })), "b");
  }
});

Deno.test("expiredCheckpoints rejects a checkpoint without trainingRunId", () => {
  const { trainingRunId: _, ...rest } = checkpoint("x", 1);
  // A caller without type checks can omit the id.
  const withoutRunId = [{ ...rest, trainingRun: trainingRun("run") }] as unknown as RunCheckpoint[];
  const error = assertThrows(
    () => expiredCheckpoints(withoutRunId, { keepLast: 1 }),
    InvalidArgumentError,
  );
  assertEquals(error.argument, "trainingRunId");
});

Deno.test("expiredCheckpoints measures ages at the time of the call by default", () => {
  const young = checkpoint("young", Date.now() - 1_000);
  assertEquals(ids(expiredCheckpoints(runCheckpoints([a, young]), { maxAgeMs: 3_600_000 })), "a");
});

Deno.test("expiredCheckpoints accepts an iterator", () => {
  const all = runCheckpoints([a, b]);
  assertEquals(ids(expiredCheckpoints(all.values(), { keepLast: 1 })), "a");
});

for (
  const [argument, rule] of [
    ["rule", {}],
    ["rule", { now: NOW }],
    ["rule", null],
    ["keepLast", { keepLast: -1 }],
    ["keepLast", { keepLast: 1.5, maxAgeMs: 1 }],
    ["maxAgeMs", { maxAgeMs: NaN }],
    ["maxAgeMs", { maxAgeMs: "30 days" }],
    ["now", { maxAgeMs: 1, now: new Date(NaN) }],
    ["now", { maxAgeMs: 1, now: 5 }],
    ["types", { keepLast: 1, types: "training" }],
    ["types", { keepLast: 1, types: [""] }],
    ["types", { keepLast: 1, types: [7] }],
  ] as const
) {
  Deno.test(`expiredCheckpoints rejects the ${argument} of ${Deno.inspect(rule)}`, () => {
    const error = assertThrows(() =>
      expiredCheckpoints(runCheckpoints([a]), rule as RetentionRule)
    );
    assertInstanceOf(error, InvalidArgumentError);
    assertEquals(error.argument, argument);
  });
}

Deno.test("expiredCheckpoints rejects a response of listCheckpoints$, which is not iterable", () => {
  const page: unknown = { checkpoints: [] };
  const invalid = page as RunCheckpoint[]; // JavaScript callers may pass it.
  assertThrows(() => expiredCheckpoints(invalid, { keepLast: 1 }), InvalidArgumentError);
});

for (const time of [new Date(NaN), "2026-01-07T10:19:18Z", undefined]) {
  Deno.test(`expiredCheckpoints rejects a time of ${time}, which has no order`, () => {
    const timeless = { ...checkpoint("t", 0), time: time as Date }; // JavaScript callers may pass it.
    const error = assertThrows(() =>
      expiredCheckpoints(runCheckpoints([a, timeless, b]), { keepLast: 1 })
    );
    assertInstanceOf(error, InvalidArgumentError);
    assertEquals(error.argument, "time");
  });
}

/** Checkpoints of two runs and three types, often with equal times; any may be a run's last. */
const listings = fc.tuple(
  fc.uniqueArray(
    fc.record({
      run: fc.constantFrom("r", "s"),
      type: fc.constantFrom("training", "sampler", "external"),
      id: fc.integer({ min: 0, max: 9 }).map(String),
      time: fc.option(fc.integer({ min: 0, max: 12 })),
    }),
    { maxLength: 30, selector: ({ run, type, id }) => `${run} ${type} ${id}` },
  ),
  fc.infiniteStream(fc.nat()),
).map(([specs, picks]): RunCheckpoint[] => {
  const all = specs.map(({ run, type, id, time }) =>
    [run, checkpoint(id, time, type, run)] as const
  );
  const pick = (run: string, type: string) => {
    const candidates = all.filter(([of, { checkpointType }]) =>
      of === run && checkpointType === type
    );
    const index = picks.next().value % (candidates.length + 1);
    return candidates[index]?.[1] ?? null;
  };
  const runs = new Map(["r", "s"].map((run) => [run, {
    ...trainingRun(run),
    lastCheckpoint: pick(run, "training"),
    lastSamplerCheckpoint: pick(run, "sampler"),
  }]));
  return all.map(([run, checkpoint]) => ({
    ...checkpoint,
    trainingRun: runs.get(run) ?? trainingRun(run),
  }));
});

const counts = fc.integer({ min: 0, max: 12 });
const ages = fc.integer({ min: 0, max: 14 });
const now = new Date(12);
const typesOfRule = fc.constantFrom(undefined, ["training"], ["sampler", "external"]);
const rules: fc.Arbitrary<RetentionRule> = fc.oneof(
  fc.record({ keepLast: counts, types: typesOfRule }),
  fc.record({ maxAgeMs: ages, types: typesOfRule }),
  fc.record({ keepLast: counts, maxAgeMs: ages, types: typesOfRule }),
).map((rule) => ({ ...rule, now }));

function appliesTo({ types = ["training", "sampler"] }: RetentionRule, checkpoint: Checkpoint) {
  return checkpoint.time !== null && types.includes(checkpoint.checkpointType);
}

function paths(checkpoints: readonly Checkpoint[]): string[] {
  return checkpoints.map(({ checkpointPath }) => checkpointPath);
}

function groupSizes(checkpoints: readonly RunCheckpoint[]): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const { checkpointType, trainingRun } of checkpoints) {
    const group = `${checkpointType} ${trainingRun.trainingRunId}`;
    sizes.set(group, (sizes.get(group) ?? 0) + 1);
  }
  return sizes;
}

function routeOf({ trainingRunId, checkpointId }: Checkpoint): string {
  return `${trainingRunId}/${checkpointId}`;
}

function difference(all: readonly RunCheckpoint[], expired: readonly RunCheckpoint[]) {
  return all.filter((checkpoint) => !expired.includes(checkpoint));
}

Deno.test("expiredCheckpoints keeps every checkpoint without a time or of another type", () => {
  fc.assert(fc.property(listings, rules, (all, rule) => {
    assert(expiredCheckpoints(all, rule).every((checkpoint) => appliesTo(rule, checkpoint)));
  }));
});

Deno.test("expiredCheckpoints ignores checkpoints that the rule does not apply to, apart from shared ids", () => {
  fc.assert(fc.property(listings, rules, (all, rule) => {
    const rest = all.filter((checkpoint) => appliesTo(rule, checkpoint));
    const exempt = new Set(all.filter((checkpoint) => !rest.includes(checkpoint)).map(routeOf));
    assertEquals(
      expiredCheckpoints(all, rule),
      expiredCheckpoints(rest, rule).filter((checkpoint) => !exempt.has(routeOf(checkpoint))),
    );
  }));
});

Deno.test("expiredCheckpoints keeps every last checkpoint of a run", () => {
  fc.assert(fc.property(listings, rules, (all, rule) => {
    for (const { checkpointPath, trainingRun } of expiredCheckpoints(all, rule)) {
      assert(checkpointPath !== trainingRun.lastCheckpoint?.checkpointPath);
      assert(checkpointPath !== trainingRun.lastSamplerCheckpoint?.checkpointPath);
    }
  }));
});

Deno.test("expiredCheckpoints keeps at least keepLast checkpoints of each type of each run", () => {
  fc.assert(fc.property(listings, rules, (all, rule) => {
    const dated = all.filter(({ time }) => time !== null);
    const kept = groupSizes(difference(dated, expiredCheckpoints(all, rule)));
    for (const [group, size] of groupSizes(dated)) {
      assert((kept.get(group) ?? 0) >= Math.min(rule.keepLast ?? 0, size));
    }
  }));
});

Deno.test("expiredCheckpoints keeps no checkpoint older than an expired one, apart from last checkpoints and shared ids", () => {
  fc.assert(fc.property(listings, rules, (all, rule) => {
    const expired = expiredCheckpoints(all, rule);
    for (const kept of difference(all, expired)) {
      const { trainingRun, checkpointId, checkpointType } = kept;
      const lastCheckpoints = [trainingRun.lastCheckpoint, trainingRun.lastSamplerCheckpoint];
      const twin = all.find((other) =>
        other.trainingRun === trainingRun && other.checkpointId === checkpointId &&
        other.checkpointType !== checkpointType
      );
      const younger = expired.find((other) =>
        other.trainingRun === trainingRun && other.checkpointType === checkpointType &&
        other.time !== null && kept.time !== null && other.time > kept.time
      );
      const isLast = lastCheckpoints.some((last) => last?.checkpointId === checkpointId);
      assert(younger === undefined || isLast || twin !== undefined);
    }
  }));
});

Deno.test("expiredCheckpoints never both returns and keeps the same id of a run", () => {
  fc.assert(fc.property(listings, rules, (all, rule) => {
    const expired = expiredCheckpoints(all, rule);
    const kept = new Set(difference(all, expired).map(routeOf));
    assert(expired.every((checkpoint) => !kept.has(routeOf(checkpoint))));
  }));
});

Deno.test("expiredCheckpoints returns nothing once the expired checkpoints are deleted", () => {
  fc.assert(fc.property(listings, rules, (all, rule) => {
    assertEquals(expiredCheckpoints(difference(all, expiredCheckpoints(all, rule)), rule), []);
  }));
});

Deno.test("expiredCheckpoints returns no more for a larger keepLast or maxAgeMs", () => {
  fc.assert(fc.property(listings, rules, counts, ages, (all, rule, more, longer) => {
    const lenient = {
      ...rule,
      keepLast: rule.keepLast === undefined ? undefined : rule.keepLast + more,
      maxAgeMs: rule.maxAgeMs === undefined ? undefined : rule.maxAgeMs + longer,
    };
    const expired = new Set(paths(expiredCheckpoints(all, rule)));
    assert(paths(expiredCheckpoints(all, lenient)).every((path) => expired.has(path)));
  }));
});

Deno.test("expiredCheckpoints returns the same checkpoints for any order of the input", () => {
  const shuffled = listings.chain((all) =>
    fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))
  );
  fc.assert(fc.property(shuffled, rules, ([all, other], rule) => {
    const expired = paths(expiredCheckpoints(all, rule));
    assertEquals(paths(expiredCheckpoints(other, rule)).sort(), expired.toSorted());
    assertEquals(expired, paths(all).filter((path) => expired.includes(path)));
  }));
});
