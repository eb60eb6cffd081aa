import { assertInstanceOf } from "@std/assert";
import { catchError } from "rxjs";
import { InvalidArgumentError } from "../../src/errors.ts";
import { latestCheckpoint } from "../../src/listing/latest_checkpoint.ts";
import type { Checkpoint, CheckpointType } from "../../src/types.ts";
import { runMarbles } from "../marbles.ts";

function checkpoint(
  checkpointId: string,
  time: number | null,
  checkpointType: CheckpointType,
): Checkpoint {
  return {
    trainingRunId: "run",
    checkpointId,
    checkpointType,
    time: time === null ? null : new Date(time),
    checkpointPath: `hpcai://run/${checkpointType}/${checkpointId}`,
  };
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

Deno.test("latestCheckpoint emits the checkpoint with the latest time of each listing, of any type", () => {
  runMarbles(({ cold, expectObservable }) => {
    expectObservable(cold("-l-n|", pages).pipe(latestCheckpoint()))
      .toBe("-l-n|", { l: c, n: undefined });
  });
});

Deno.test("latestCheckpoint with a type emits the latest of that type, or undefined", () => {
  runMarbles(({ cold, expectObservable }) => {
    expectObservable(cold("lm|", pages).pipe(latestCheckpoint("sampler")))
      .toBe("lm|", { l: c, m: undefined });
  });
});

Deno.test("latestCheckpoint emits the checkpoint whose id sorts last of those with the same time", () => {
  runMarbles(({ cold, expectObservable }) => {
    expectObservable(cold("lm|", pages).pipe(latestCheckpoint("training")))
      .toBe("lm|", { l: d, m: d });
  });
});

Deno.test("latestCheckpoint emits a checkpoint without a time only if none has a time", () => {
  const [x, y] = [checkpoint("x", null, "training"), checkpoint("y", null, "training")];
  runMarbles(({ cold, expectObservable }) => {
    const some = { l: { checkpoints: [y, a, x] }, m: { checkpoints: [x, y] } };
    expectObservable(cold("lm|", some).pipe(latestCheckpoint())).toBe("lm|", { l: a, m: y });
  });
});

Deno.test("latestCheckpoint accepts an unknown type", () => {
  const e = checkpoint("e", 1, "external");
  runMarbles(({ cold, expectObservable }) => {
    expectObservable(
      cold("l|", { l: { checkpoints: [a, e, d] } }).pipe(latestCheckpoint("external")),
    ).toBe("l|", { l: e });
  });
});

Deno.test("latestCheckpoint rejects an empty type before it subscribes", () => {
  runMarbles(({ cold, expectObservable, expectSubscriptions }) => {
    const listing$ = cold("l|", pages);
    const { message } = new InvalidArgumentError(
      "type",
      'must be a checkpoint type, for example "training" or "sampler", got ""',
    );
    const failure$ = listing$.pipe(
      latestCheckpoint(""),
      catchError((error) => {
        assertInstanceOf(error, InvalidArgumentError);
        throw error.message;
      }),
    );
    expectObservable(failure$).toBe("#", undefined, message);
    expectSubscriptions(listing$.subscriptions).toBe([]);
  });
});
