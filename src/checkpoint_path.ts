import {
  checkpointIdFault,
  requireCheckpointId,
  requireCheckpointType,
  requireTrainingRunId,
  show,
  trainingRunIdFault,
} from "./arguments.ts";
import { InvalidArgumentError, InvalidCheckpointPathError } from "./errors.ts";
import type { CheckpointIds, CheckpointRef, CheckpointType } from "./types.ts";

/** The parts of a checkpoint path. */
export interface ParsedCheckpointPath extends CheckpointIds {
  /** Which of the two kinds of checkpoint the path names. */
  readonly checkpointType: CheckpointType;
}

const SCHEME = "hpcai://";

/** The word that stands for each type in a path, as the API's reference documents it. */
const DOCUMENTED_KIND: Readonly<Record<CheckpointType, string>> = {
  training: "weights",
  sampler: "sampler_weights",
};

/** Servers also list paths with the type's own name, which is all that the Python SDK parses. */
const TYPE_OF_KIND: ReadonlyMap<string, CheckpointType> = new Map([
  ["weights", "training"],
  ["training", "training"],
  ["sampler_weights", "sampler"],
  ["sampler", "sampler"],
]);

/**
 * Takes a checkpoint path apart.
 *
 * @param path `hpcai://{trainingRunId}/weights/{checkpointId}` for a training checkpoint,
 * `hpcai://{trainingRunId}/sampler_weights/{checkpointId}` for a sampler checkpoint; `training` and
 * `sampler`, which some servers write instead, are taken too. The checkpoint's id is all that
 * follows, slashes included.
 * @returns The run's id, the checkpoint's type and the checkpoint's id.
 * @throws {InvalidCheckpointPathError} if it is not such a path.
 *
 * @example
 * ```ts
 * import { parseCheckpointPath } from "@hpcai/rx";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseCheckpointPath("hpcai://eb78693b/weights/step_0010"), {
 *   trainingRunId: "eb78693b",
 *   checkpointType: "training",
 *   checkpointId: "step_0010",
 * });
 * ```
 */
export function parseCheckpointPath(path: string): ParsedCheckpointPath {
  if (typeof path !== "string") throw invalidPath(path, "it is not a string");
  if (!path.startsWith(SCHEME)) throw invalidPath(path, `it does not begin with ${SCHEME}`);
  const [trainingRunId, kind, ...rest] = path.slice(SCHEME.length).split("/");
  if (kind === undefined || rest.length === 0) throw invalidPath(path, "it has too few parts");
  const runFault = trainingRunIdFault(trainingRunId);
  if (trainingRunId === undefined || runFault !== undefined) {
    throw invalidPath(path, `its training run id ${runFault}`);
  }
  const checkpointType = TYPE_OF_KIND.get(kind);
  if (checkpointType === undefined) {
    throw invalidPath(path, `${show(kind)} is not a kind of checkpoint`);
  }
  const checkpointId = rest.join("/");
  const idFault = checkpointIdFault(checkpointId);
  if (idFault !== undefined) throw invalidPath(path, `its checkpoint id ${idFault}`);
  return { trainingRunId, checkpointType, checkpointId };
}

function invalidPath(path: unknown, problem: string): InvalidCheckpointPathError {
  return new InvalidCheckpointPathError(
    "checkpointPath",
    `${show(path)} is not a checkpoint path, since ${problem}; expected ` +
      `"${SCHEME}{training_run_id}/weights/{checkpoint_id}" or ` +
      `"${SCHEME}{training_run_id}/sampler_weights/{checkpoint_id}"`,
  );
}

/**
 * Puts a checkpoint path together, in the form that the API's reference documents.
 *
 * @param parts The run's id, the checkpoint's type and the checkpoint's id.
 * @returns The path; {@linkcode parseCheckpointPath} gives the same parts back.
 * @throws {InvalidArgumentError} if a part cannot stand in a path.
 *
 * @example
 * ```ts
 * import { formatCheckpointPath } from "@hpcai/rx";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(
 *   formatCheckpointPath({
 *     trainingRunId: "eb78693b",
 *     checkpointType: "sampler",
 *     checkpointId: "final",
 *   }),
 *   "hpcai://eb78693b/sampler_weights/final",
 * );
 * ```
 */
export function formatCheckpointPath(parts: ParsedCheckpointPath): string {
  const { trainingRunId, checkpointType, checkpointId } = parts;
  requireTrainingRunId(trainingRunId);
  requireCheckpointId(checkpointId);
  requireCheckpointType("checkpointType", checkpointType);
  return `${SCHEME}${trainingRunId}/${DOCUMENTED_KIND[checkpointType]}/${checkpointId}`;
}

/**
 * Finds the ids that a reference stands for. Of a {@linkcode Checkpoint} the id is the listed one,
 * which servers take as it is; its path says which run it belongs to.
 *
 * @throws {InvalidArgumentError} if the reference is none.
 */
export function checkpointIds(checkpoint: CheckpointRef): CheckpointIds {
  if (typeof checkpoint === "string") return parseCheckpointPath(checkpoint);
  if (typeof checkpoint !== "object" || checkpoint === null) {
    throw new InvalidArgumentError(
      "checkpoint",
      `must be a checkpoint path, a Checkpoint or { trainingRunId, checkpointId }, ` +
        `but is ${show(checkpoint)}`,
    );
  }
  const { checkpointId } = checkpoint;
  requireCheckpointId(checkpointId);
  if ("checkpointPath" in checkpoint) {
    return {
      trainingRunId: parseCheckpointPath(checkpoint.checkpointPath).trainingRunId,
      checkpointId,
    };
  }
  requireTrainingRunId(checkpoint.trainingRunId);
  return { trainingRunId: checkpoint.trainingRunId, checkpointId };
}
