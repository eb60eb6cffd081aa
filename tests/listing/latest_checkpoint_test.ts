import { assertEquals, assertInstanceOf } from "@std/assert";
import { catchError } from "rxjs";
import { TestScheduler } from "rxjs/testing";
import { InvalidArgumentError } from "../../src/errors.ts";
import { latestCheckpoint } from "../../src/listing/latest_checkpoint.ts";
import type { Checkpoint, CheckpointType } from "../../src/types.ts";

function checkpoint(
  checkpointId: string,
  time: number,
  checkpointType: CheckpointType,
): Checkpoint {
  const checkpointPath = `hpcai://run/${checkpointType}/${checkpointId}`;
  return { checkpointId, checkpointType, time: new Date(time), checkpointPath };
}

const a = checkpoint("a", 1, "training");
const b = checkpoint("b", 3, "training");
const c = checkpoint("c", 4, "sampler");
const d = checkpoint("d", 3, "training");

const pages = {
  l: { checkpoints: Object.freeze([a, d, c, b]) },
  m: { checkpoints: [b, d, a] },
  n: { checkpoints: [] },
};

function run(test: Parameters<TestScheduler["run"]>[0]): void {
  new TestScheduler((actual, expected) => assertEquals(actual, expected)).run(test);
}

Deno.test("of each listing the checkpoint with the latest time is emitted, of both types", () => {
  run(({ cold, expectObservable }) => {
    expectObservable(cold("-l-n|", pages).pipe(latestCheckpoint()))
      .toBe("-l-n|", { l: c, n: undefined });
  });
});

Deno.test("with a type it is the latest of that type, or undefined where there is none", () => {
  run(({ cold, expectObservable }) => {
    expectObservable(cold("lm|", pages).pipe(latestCheckpoint("sampler")))
      .toBe("lm|", { l: c, m: undefined });
  });
});

Deno.test("of those with one time it is the one whose id sorts last, in any order", () => {
  run(({ cold, expectObservable }) => {
    expectObservable(cold("lm|", pages).pipe(latestCheckpoint("training")))
      .toBe("lm|", { l: d, m: d });
  });
});

Deno.test("a type that is none fails before anything is asked for", () => {
  run(({ cold, expectObservable, expectSubscriptions }) => {
    const listing$ = cold("l|", pages);
    const wrong: string = "weights";
    const { message } = new InvalidArgumentError(
      "type",
      'must be "training" or "sampler", but is "weights"',
    );
    const failure$ = listing$.pipe(
      latestCheckpoint(wrong as CheckpointType),
      catchError((error) => {
        assertInstanceOf(error, InvalidArgumentError);
        throw error.message;
      }),
    );
    expectObservable(failure$).toBe("#", undefined, message);
    expectSubscriptions(listing$.subscriptions).toBe([]);
  });
});
