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

/** Reads a duration such as `30d`, in milliseconds. */
export function duration(text: string): number {
  const [, number = "", unit = ""] = /^(\d+(?:\.\d+)?)([smhdw])$/.exec(text) ?? [];
  const unitMs = UNIT_MS[unit];
  if (unitMs === undefined) {
    throw new InvalidOptionError("A duration is a number and s, m, h, d or w, such as 30d.");
  }
  return Number(number) * unitMs;
}

/** Reads a whole number that is not negative. */
export function wholeNumber(text: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number)) return number;
  throw new InvalidOptionError("It has to be a whole number.");
}

/** Reads a whole number above 0. */
export function positiveNumber(text: string): number {
  const number = wholeNumber(text);
  if (number > 0) return number;
  throw new InvalidOptionError("It has to be above 0.");
}

/** What a checkpoint is named by: its path, which tells its type too, or its run and itself. */
export function checkpointNamed(
  pathOrRunId: string,
  checkpointId?: string,
): CheckpointIds & { readonly checkpointType?: CheckpointType } {
  return checkpointId === undefined
    ? parseCheckpointPath(pathOrRunId)
    : { trainingRunId: pathOrRunId, checkpointId };
}

/** Adds the arguments that {@linkcode checkpointNamed} takes. */
export function nameCheckpoint(command: Command): Command {
  return command
    .argument("<path>", "the checkpoint, hpcai://…; or its run's id, then its own")
    .argument("[checkpoint-id]", "the checkpoint's id, after its run's");
}
