import {
  checkpointIdProblem,
  inspect,
  pathSegmentProblem,
  requireCheckpointId,
  requireCheckpointType,
  requireTrainingRunId,
} from "./arguments.ts";
import { InvalidArgumentError, InvalidCheckpointPathError } from "./errors.ts";
import type { CheckpointIds, CheckpointRef, CheckpointType } from "./types.ts";

/** The parts of a checkpoint path. */
export interface ParsedCheckpointPath extends CheckpointIds {
  /** The type of checkpoint that the path names. */
  readonly checkpointType: CheckpointType;
}

const SCHEME = "hpcai://";

/**
 * The kind of a type in a path: `weights` for `training`, as in the API's reference, and the type with
 * `_weights` for any other (`sampler_weights`, `external_weights`).
 */
function toPathKind(checkpointType: string): string {
  return checkpointType === "training" ? "weights" : `${checkpointType}_weights`;
}

/**
 * The type of a kind. A kind without `_weights` is the type itself: servers list such paths too, and the
 * Python SDK parses no other form.
 */
function toCheckpointType(kind: string): string {
  return kind === "weights" ? "training" : kind.replace(/(?!^)_weights$/, "");
}

/**
 * Parses a checkpoint path.
 *
 * @param path `hpcai://{trainingRunId}/{kind}/{checkpointId}`. The kind `weights` names a checkpoint of
 * type `training`, `sampler_weights` one of type `sampler`; any other kind is the type, with or without
 * `_weights`: `external` for `external_weights`. The checkpoint's id is the rest, slashes included.
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
  if (kind === undefined || rest.length === 0) throw invalidPath(path, "it has too few segments");
  const runProblem = pathSegmentProblem(trainingRunId);
  if (trainingRunId === undefined || runProblem !== undefined) {
    throw invalidPath(path, `its training run id ${runProblem}`);
  }
  const kindProblem = pathSegmentProblem(kind);
  if (kindProblem !== undefined) throw invalidPath(path, `its kind ${kindProblem}`);
  const checkpointId = rest.join("/");
  const idProblem = checkpointIdProblem(checkpointId);
  if (idProblem !== undefined) throw invalidPath(path, `its checkpoint id ${idProblem}`);
  return { trainingRunId, checkpointType: toCheckpointType(kind), checkpointId };
}

function invalidPath(path: unknown, reason: string): InvalidCheckpointPathError {
  return new InvalidCheckpointPathError(
    "checkpointPath",
    `must be a checkpoint path, got ${inspect(path)}: ${reason}`,
    {
      advice: `Pass "${SCHEME}{training_run_id}/weights/{checkpoint_id}" or ` +
        `"${SCHEME}{training_run_id}/sampler_weights/{checkpoint_id}".`,
    },
  );
}

/**
 * Formats a checkpoint path as in the API's reference: with the kind `weights` for the type `training`,
 * and the type followed by `_weights` for every other.
 *
 * @param parts The run's id, the checkpoint's type and the checkpoint's id.
 * @returns The path, which {@linkcode parseCheckpointPath} parses to the same parts. The path that a
 * server lists for the same checkpoint may have another kind.
 * @throws {InvalidArgumentError} if a path cannot contain a part.
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
  const problem = pathSegmentProblem(checkpointType);
  if (problem !== undefined) {
    throw new InvalidArgumentError(
      "checkpointType",
      `must be one segment of a path, got ${inspect(checkpointType)}: it ${problem}`,
    );
  }
  return `${SCHEME}${trainingRunId}/${toPathKind(checkpointType)}/${checkpointId}`;
}

/**
 * The ids of a reference. A {@linkcode Checkpoint} of a listing has them as fields; its path, whose
 * scheme depends on the server, is not parsed.
 *
 * @throws {InvalidArgumentError} if the reference is invalid.
 */
export function checkpointIds(checkpoint: CheckpointRef): CheckpointIds {
  if (typeof checkpoint === "string") return parseCheckpointPath(checkpoint);
  if (typeof checkpoint !== "object" || checkpoint === null) {
    throw new InvalidArgumentError(
      "checkpoint",
      `must be a checkpoint path, a Checkpoint or { trainingRunId, checkpointId }, ` +
        `got ${inspect(checkpoint)}`,
    );
  }
  const { trainingRunId, checkpointId } = checkpoint;
  requireTrainingRunId(trainingRunId);
  requireCheckpointId(checkpointId);
  return { trainingRunId, checkpointId };
}
