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

/** Checkpoints of one run, which names none of them unless `last` is given. */
function ofRun(checkpoints: readonly Checkpoint[], last?: Checkpoint): RunCheckpoint[] {
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

Deno.test("all but the last N expire, in the order in which they were given", () => {
  assertEquals(ids(expiredCheckpoints(ofRun([b, d, a, c]), { keepLast: 2 })), "b a");
});

Deno.test("what is older than the age expires, what is as old does not", () => {
  const rule = { maxAgeMs: 800, now: NOW };
  assertEquals(ids(expiredCheckpoints(ofRun([a, b, c]), rule)), "a");
});

Deno.test("with both conditions only what is neither among the last nor young expires", () => {
  const rule = { maxAgeMs: 700, now: NOW };
  assertEquals(ids(expiredCheckpoints(ofRun([a, b, c, d]), { ...rule, keepLast: 1 })), "a b");
  assertEquals(ids(expiredCheckpoints(ofRun([a, b, c, d]), { ...rule, keepLast: 3 })), "a");
});

Deno.test("types and runs are counted each for itself", () => {
  const sampler = checkpoint("s", 50, "sampler");
  const other = { ...checkpoint("o", 10, "training", "other"), trainingRun: trainingRun("other") };
  assertEquals(ids(expiredCheckpoints([...ofRun([a, sampler, b]), other], { keepLast: 1 })), "a");
});

Deno.test("of those with one time the id that sorts last is kept", () => {
  const twins = ofRun([checkpoint("x", 1), checkpoint("z", 1), checkpoint("y", 1)]);
  assertEquals(ids(expiredCheckpoints(twins, { keepLast: 1 })), "x y");
});

Deno.test("what the run names as its last does not expire, and counts where it stands", () => {
  assertEquals(ids(expiredCheckpoints(ofRun([a, b, c, d], a), { keepLast: 1 })), "b c");
  assertEquals(ids(expiredCheckpoints(ofRun([a, b, c, d], d), { keepLast: 2 })), "a b");
});

Deno.test("it does not expire either where its path is written in the other way", () => {
  const last = { ...a, checkpointPath: "hpcai://run/weights/a" };
  assertEquals(ids(expiredCheckpoints(ofRun([a, b, c], last), { keepLast: 1 })), "b");
});

Deno.test("what shares its id, and so its route, with a kept one of the other type is kept", () => {
  const sampler = checkpoint("a", 950, "sampler");
  assertEquals(ids(expiredCheckpoints(ofRun([a, sampler, b, c]), { keepLast: 1 })), "b");
  const rule = { maxAgeMs: 100, now: NOW };
  assertEquals(ids(expiredCheckpoints(ofRun([a, sampler, b]), rule)), "b");
});

Deno.test("a checkpoint that is given twice counts once", () => {
  assertEquals(ids(expiredCheckpoints(ofRun([b, b, a, c]), { keepLast: 2 })), "a");
});

Deno.test("a checkpoint of a type that the rule does not name never expires, and counts for no other", () => {
  const all = ofRun([a, checkpoint("x", 50, "external"), checkpoint("y", 500, "external"), b]);
  assertEquals(ids(expiredCheckpoints(all, { keepLast: 1 })), "a");
  assertEquals(ids(expiredCheckpoints(all, { maxAgeMs: 0, now: NOW })), "a b");
});

Deno.test("a rule applies to the types that it names, and to no other", () => {
  const all = ofRun([a, checkpoint("x", 50, "external"), checkpoint("y", 500, "external"), b]);
  assertEquals(ids(expiredCheckpoints(all, { keepLast: 1, types: ["external"] })), "x");
  const both = { keepLast: 1, types: ["external", "training"] };
  assertEquals(ids(expiredCheckpoints(all, both)), "a x");
  assertEquals(ids(expiredCheckpoints(all, { keepLast: 0, types: [] })), "");
});

Deno.test("what shares its id, and so its route, with one of a type that is not named is kept", () => {
  const all = ofRun([a, checkpoint("a", 50, "external"), b]);
  assertEquals(ids(expiredCheckpoints(all, { keepLast: 0 })), "b");
});

Deno.test("a checkpoint without a time never expires, and takes the place of no other", () => {
  const timeless = checkpoint("t", null);
  assertEquals(ids(expiredCheckpoints(ofRun([a, timeless, b, c]), { keepLast: 2 })), "a");
  assertEquals(ids(expiredCheckpoints(ofRun([timeless]), { keepLast: 0 })), "");
  const rule = { maxAgeMs: 0, now: NOW };
  assertEquals(ids(expiredCheckpoints(ofRun([a, timeless, timeless]), rule)), "a");
});

Deno.test("a checkpoint that is given once with a time and once without never expires", () => {
  for (const twins of [[a, checkpoint("a", null)], [checkpoint("a", null), a]]) {
    assertEquals(ids(expiredCheckpoints(ofRun([...twins, b]), { keepLast: 0 })), "b");
  }
});

Deno.test("a checkpoint that does not know its run is refused, since it counts for none", () => {
  const { trainingRunId: _, ...rest } = checkpoint("x", 1);
  const lost = [{ ...rest, trainingRun: trainingRun("run") }] as unknown as RunCheckpoint[];
  const error = assertThrows(() => expiredCheckpoints(lost, { keepLast: 1 }), InvalidArgumentError);
  assertEquals(error.argument, "trainingRunId");
});

Deno.test("age counts back from the time of the call by default", () => {
  const young = checkpoint("young", Date.now() - 1_000);
  assertEquals(ids(expiredCheckpoints(ofRun([a, young]), { maxAgeMs: 3_600_000 })), "a");
});

Deno.test("the checkpoints may come from a generator", () => {
  const all = ofRun([a, b]);
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
  Deno.test(`a rule that is ${Deno.inspect(rule)} is refused for its ${argument}`, () => {
    const error = assertThrows(() => expiredCheckpoints(ofRun([a]), rule as RetentionRule));
    assertInstanceOf(error, InvalidArgumentError);
    assertEquals(error.argument, argument);
  });
}

Deno.test("a page, which is no iterable of checkpoints, is refused", () => {
  const page: unknown = { checkpoints: [] };
  const wrong = page as RunCheckpoint[]; // As a program without types may pass it.
  assertThrows(() => expiredCheckpoints(wrong, { keepLast: 1 }), InvalidArgumentError);
});

for (const time of [new Date(NaN), "2026-01-07T10:19:18Z", undefined]) {
  Deno.test(`a checkpoint whose time is ${time} is refused, since none is the latest then`, () => {
    const timeless = { ...checkpoint("t", 0), time: time as Date }; // As a program without types may.
    const error = assertThrows(() => expiredCheckpoints(ofRun([a, timeless, b]), { keepLast: 1 }));
    assertInstanceOf(error, InvalidArgumentError);
    assertEquals(error.argument, "time");
  });
}

/** Checkpoints of two runs of three types, whose times often coincide; the runs name any of them. */
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
).map(([made, picks]): RunCheckpoint[] => {
  const all = made.map(({ run, type, id, time }) =>
    [run, checkpoint(id, time, type, run)] as const
  );
  const pick = (run: string, type: string) => {
    const mine = all.filter(([of, { checkpointType }]) => of === run && checkpointType === type);
    const index = picks.next().value % (mine.length + 1);
    return mine[index]?.[1] ?? null;
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

function groups(checkpoints: readonly RunCheckpoint[]): Map<string, number> {
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

function without(all: readonly RunCheckpoint[], expired: readonly RunCheckpoint[]) {
  return all.filter((checkpoint) => !expired.includes(checkpoint));
}

Deno.test("what has no time, or a type that the rule does not name, never expires", () => {
  fc.assert(fc.property(listings, rules, (all, rule) => {
    assert(expiredCheckpoints(all, rule).every((checkpoint) => appliesTo(rule, checkpoint)));
  }));
});

Deno.test("what the rule does not apply to changes nothing for the rest, but for its twins", () => {
  fc.assert(fc.property(listings, rules, (all, rule) => {
    const rest = all.filter((checkpoint) => appliesTo(rule, checkpoint));
    const exempt = new Set(all.filter((checkpoint) => !rest.includes(checkpoint)).map(routeOf));
    assertEquals(
      expiredCheckpoints(all, rule),
      expiredCheckpoints(rest, rule).filter((checkpoint) => !exempt.has(routeOf(checkpoint))),
    );
  }));
});

Deno.test("what a run names as its last never expires", () => {
  fc.assert(fc.property(listings, rules, (all, rule) => {
    for (const { checkpointPath, trainingRun } of expiredCheckpoints(all, rule)) {
      assert(checkpointPath !== trainingRun.lastCheckpoint?.checkpointPath);
      assert(checkpointPath !== trainingRun.lastSamplerCheckpoint?.checkpointPath);
    }
  }));
});

Deno.test("as many as are to be kept are kept of each type of each run, where there are", () => {
  fc.assert(fc.property(listings, rules, (all, rule) => {
    const dated = all.filter(({ time }) => time !== null);
    const kept = groups(without(dated, expiredCheckpoints(all, rule)));
    for (const [group, size] of groups(dated)) {
      assert((kept.get(group) ?? 0) >= Math.min(rule.keepLast ?? 0, size));
    }
  }));
});

Deno.test("nothing that is kept is older than what expired, unless its run names its id or it has a twin", () => {
  fc.assert(fc.property(listings, rules, (all, rule) => {
    const expired = expiredCheckpoints(all, rule);
    for (const kept of without(all, expired)) {
      const { trainingRun, checkpointId, checkpointType } = kept;
      const named = [trainingRun.lastCheckpoint, trainingRun.lastSamplerCheckpoint];
      const twin = all.find((other) =>
        other.trainingRun === trainingRun && other.checkpointId === checkpointId &&
        other.checkpointType !== checkpointType
      );
      const younger = expired.find((other) =>
        other.trainingRun === trainingRun && other.checkpointType === checkpointType &&
        other.time !== null && kept.time !== null && other.time > kept.time
      );
      const isNamed = named.some((last) => last?.checkpointId === checkpointId);
      assert(younger === undefined || isNamed || twin !== undefined);
    }
  }));
});

Deno.test("no id of a run both expires and is kept", () => {
  fc.assert(fc.property(listings, rules, (all, rule) => {
    const expired = expiredCheckpoints(all, rule);
    const kept = new Set(without(all, expired).map(routeOf));
    assert(expired.every((checkpoint) => !kept.has(routeOf(checkpoint))));
  }));
});

Deno.test("once what expired is gone, nothing more expires", () => {
  fc.assert(fc.property(listings, rules, (all, rule) => {
    assertEquals(expiredCheckpoints(without(all, expiredCheckpoints(all, rule)), rule), []);
  }));
});

Deno.test("a larger N or a longer time lets nothing expire that did not before", () => {
  fc.assert(fc.property(listings, rules, counts, ages, (all, rule, more, longer) => {
    const milder = {
      ...rule,
      keepLast: rule.keepLast === undefined ? undefined : rule.keepLast + more,
      maxAgeMs: rule.maxAgeMs === undefined ? undefined : rule.maxAgeMs + longer,
    };
    const expired = new Set(paths(expiredCheckpoints(all, rule)));
    assert(paths(expiredCheckpoints(all, milder)).every((path) => expired.has(path)));
  }));
});

Deno.test("the order of the input decides that of the output, and nothing else", () => {
  const shuffled = listings.chain((all) =>
    fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))
  );
  fc.assert(fc.property(shuffled, rules, ([all, other], rule) => {
    const expired = paths(expiredCheckpoints(all, rule));
    assertEquals(paths(expiredCheckpoints(other, rule)).sort(), expired.toSorted());
    assertEquals(expired, paths(all).filter((path) => expired.includes(path)));
  }));
});
