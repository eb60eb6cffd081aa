import { type Command, InvalidArgumentError as InvalidOptionError } from "commander";
import { parseCheckpointPath } from "../checkpoint_path.ts";
import type { CheckpointIds, CheckpointType } from "../types.ts";

const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** Parses a duration such as `30d` into milliseconds. */
export function parseDuration(text: string): number {
  const [, number = "", unit = ""] = /^(\d+(?:\.\d+)?)([smhdw])$/.exec(text) ?? [];
  const unitMs = UNIT_MS[unit];
  if (unitMs === undefined) {
    throw new InvalidOptionError("A duration is a number and a unit (s, m, h, d, w), such as 30d.");
  }
  return Number(number) * unitMs;
}

/** Parses an integer of at least 0. */
export function parseCount(text: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number)) return number;
  throw new InvalidOptionError("It must be an integer of at least 0.");
}

/** Parses an integer of at least 1. */
export function parsePositiveCount(text: string): number {
  const number = parseCount(text);
  if (number > 0) return number;
  throw new InvalidOptionError("It must be an integer of at least 1.");
}

/** The ids of a checkpoint, and its type where a path names it. */
export interface CheckpointArgument extends CheckpointIds {
  readonly checkpointType?: CheckpointType;
}

/** Parses a checkpoint path, or takes the ids of a run and a checkpoint. */
export function parseCheckpoint(pathOrRunId: string, checkpointId?: string): CheckpointArgument {
  return checkpointId === undefined
    ? parseCheckpointPath(pathOrRunId)
    : { trainingRunId: pathOrRunId, checkpointId };
}

/** Adds the arguments of {@linkcode parseCheckpoint}. */
export function addCheckpointArguments(command: Command): Command {
  return command
    .argument("<path>", "checkpoint path (hpcai://…), or a run ID followed by a checkpoint ID")
    .argument("[checkpoint-id]", "checkpoint ID, after a run ID");
}
