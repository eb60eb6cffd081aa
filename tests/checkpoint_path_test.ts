import { assertEquals, assertInstanceOf, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  checkpointIds,
  formatCheckpointPath,
  parseCheckpointPath,
  type ParsedCheckpointPath,
} from "../src/checkpoint_path.ts";
import { InvalidArgumentError, InvalidCheckpointPathError } from "../src/errors.ts";
import type { CheckpointRef } from "../src/types.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";

for (
  const [kind, checkpointType] of [
    ["weights", "training"],
    ["training", "training"],
    ["sampler_weights", "sampler"],
    ["sampler", "sampler"],
    ["external_weights", "external"],
    ["external", "external"],
    ["models", "models"],
    ["constructor", "constructor"],
    ["weights_weights", "weights"],
    ["_weights", "_weights"],
  ] as const
) {
  Deno.test(`parseCheckpointPath reads the kind ${kind} as the type ${checkpointType}`, () => {
    assertEquals(parseCheckpointPath(`hpcai://${RUN}/${kind}/step_0010`), {
      trainingRunId: RUN,
      checkpointType,
      checkpointId: "step_0010",
    });
  });
}

Deno.test("parseCheckpointPath accepts colons in a run's id, slashes and kinds in a checkpoint's id", () => {
  assertEquals(parseCheckpointPath("hpcai://a:train:0/weights/b/weights/c"), {
    trainingRunId: "a:train:0",
    checkpointType: "training",
    checkpointId: "b/weights/c",
  });
});

Deno.test("formatCheckpointPath writes the documented form", () => {
  const parts = { trainingRunId: "r", checkpointId: "c/d" };
  assertEquals(
    formatCheckpointPath({ ...parts, checkpointType: "training" }),
    "hpcai://r/weights/c/d",
  );
  assertEquals(
    formatCheckpointPath({ ...parts, checkpointType: "sampler" }),
    "hpcai://r/sampler_weights/c/d",
  );
});

Deno.test("formatCheckpointPath writes an unknown type with _weights, as tinker does for external", () => {
  assertEquals(
    formatCheckpointPath({ trainingRunId: "r", checkpointId: "c", checkpointType: "external" }),
    "hpcai://r/external_weights/c",
  );
});

for (
  const [path, problem] of [
    [`${RUN}/weights/step_0010`, "does not begin with hpcai://"],
    ["HPCAI://r/weights/c", "does not begin with hpcai://"],
    ["https://h.example/r/weights/c", "does not begin with hpcai://"],
    ["tinker://r/weights/c", "does not begin with hpcai://"],
    ["hpcai://r//c", "its kind is empty"],
    ["hpcai://r/../c", "its kind is a dot segment"],
    ["hpcai://r", "too few parts"],
    ["hpcai://r/weights", "too few parts"],
    ["hpcai:///weights/c", "its training run id is empty"],
    ["hpcai://../weights/c", "its training run id is a dot segment"],
    ["hpcai://r/weights/", "its checkpoint id is empty"],
    ["hpcai://r/weights/..", "its checkpoint id is a dot segment"],
    ["hpcai://r/weights/a/../b", "its checkpoint id has a segment that is a dot segment"],
    ["hpcai://r/weights/a//b", "its checkpoint id has a segment that is empty"],
    ["hpcai://r/weights/\ud800", "half of a surrogate pair"],
    ["", "does not begin with"],
    [undefined, "is not a string"],
    [7, "is not a string"],
  ] as const
) {
  Deno.test(`parseCheckpointPath rejects ${Deno.inspect(path)}`, () => {
    // JavaScript callers can pass any value.
    const error = assertThrows(() => parseCheckpointPath(path as string));
    assertInstanceOf(error, InvalidCheckpointPathError);
    assertStringIncludes(error.message, problem);
    assertStringIncludes(error.message, "hpcai://{training_run_id}/weights/{checkpoint_id}");
    assertEquals(error.argument, "checkpointPath");
  });
}

for (
  const parts of [
    { trainingRunId: "", checkpointType: "training", checkpointId: "c" },
    { trainingRunId: "a/b", checkpointType: "training", checkpointId: "c" },
    { trainingRunId: "r", checkpointType: "training", checkpointId: "." },
    { trainingRunId: "r", checkpointType: "", checkpointId: "c" },
    { trainingRunId: "r", checkpointType: "a/b", checkpointId: "c" },
    { trainingRunId: "r", checkpointType: "..", checkpointId: "c" },
    { trainingRunId: "r", checkpointType: 7, checkpointId: "c" },
  ]
) {
  Deno.test(`formatCheckpointPath rejects ${JSON.stringify(parts)}`, () => {
    assertThrows(
      () => formatCheckpointPath(parts as ParsedCheckpointPath), // JavaScript callers can pass any value.
      InvalidArgumentError,
    );
  });
}

const segment = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) =>
  !text.includes("/") && text.trim() !== "" && text !== "." && text !== ".."
);
const parts = fc.record({
  trainingRunId: segment,
  checkpointType: fc.oneof(
    fc.constantFrom("training", "sampler", "external", "weights", "_weights", "a_weights"),
    segment,
  ),
  checkpointId: fc.array(segment, { minLength: 1, maxLength: 4 }).map((ids) => ids.join("/")),
}, { noNullPrototype: true });

Deno.test("parseCheckpointPath reverses formatCheckpointPath", () => {
  fc.assert(fc.property(parts, (parts) => {
    assertEquals(parseCheckpointPath(formatCheckpointPath(parts)), parts);
  }));
});

Deno.test("parseCheckpointPath either reads parts that format to the documented form, or rejects", () => {
  const path = fc.oneof(
    fc.string(),
    fc.array(
      fc.constantFrom("hpcai://", "/", ".", "..", "weights", "_", "sampler", "a", "%2f", " "),
    )
      .map((pieces) => pieces.join("")),
  );
  fc.assert(fc.property(path, (path) => {
    try {
      const parsed = parseCheckpointPath(path);
      assertEquals(parseCheckpointPath(formatCheckpointPath(parsed)), parsed);
    } catch (error) {
      assertInstanceOf(error, InvalidCheckpointPathError);
    }
  }));
});

Deno.test("checkpointIds reads the ids of a listed checkpoint with any scheme of its path", () => {
  const checkpoint = {
    trainingRunId: "r",
    checkpointId: "weights/step_0010",
    checkpointType: "training" as const,
    time: new Date(0),
    checkpointPath: "tinker://other/weights/step_0010",
  };
  assertEquals(checkpointIds(checkpoint), {
    trainingRunId: "r",
    checkpointId: "weights/step_0010",
  });
});

for (
  const [reference, argument] of [
    [undefined, "checkpoint"],
    [null, "checkpoint"],
    [7, "checkpoint"],
    [{}, "trainingRunId"],
    [{ trainingRunId: "r" }, "checkpointId"],
    [{ checkpointId: "c" }, "trainingRunId"],
    [{ checkpointId: "c", checkpointPath: "hpcai://r/weights/c" }, "trainingRunId"],
    ["c", "checkpointPath"],
  ] as const
) {
  Deno.test(`checkpointIds rejects ${Deno.inspect(reference)}`, () => {
    const error = assertThrows(() => checkpointIds(reference as CheckpointRef));
    assertInstanceOf(error, InvalidArgumentError);
    assertEquals(error.argument, argument);
  });
}
