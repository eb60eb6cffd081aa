import {
  requireCheckpointType,
  requireInteger,
  requireIterable,
  requireOptions,
  requireTrainingRunId,
  show,
} from "../arguments.ts";
import { InvalidArgumentError } from "../errors.ts";
import type { Checkpoint, CheckpointType, RunCheckpoint } from "../types.ts";
import { checkpointKey } from "./checkpoint_key.ts";
import { compareLatestFirst } from "./compare_latest_first.ts";

/** Which checkpoints to keep. A checkpoint that meets either condition is kept; at least one is required. */
export interface RetentionRule {
  /** How many of the latest checkpoints of each type are kept for each run. */
  readonly keepLast?: number | undefined;
  /** Checkpoints up to this age are kept, in milliseconds. */
  readonly maxAgeMs?: number | undefined;
  /** The time at which ages are measured. Default: the time of the call. */
  readonly now?: Date | undefined;
  /**
   * The types of checkpoints that the rule applies to; checkpoints of other types are kept. Default:
   * `["training", "sampler"]`.
   */
  readonly types?: readonly CheckpointType[] | undefined;
}

const DEFAULT_TYPES: readonly CheckpointType[] = ["training", "sampler"];

/**
 * Finds the checkpoints that a retention rule does not keep. A pure function: it deletes nothing.
 *
 * These checkpoints are always kept:
 * - the `lastCheckpoint` and `lastSamplerCheckpoint` of a run;
 * - checkpoints of a type that the rule does not apply to: every type but `training` and `sampler`,
 *   unless `types` names it;
 * - checkpoints whose time is `null`, since their age is unknown; they do not count for `keepLast`;
 * - checkpoints with the id of a kept one of another type, since the API's routes have no type.
 *
 * Of two checkpoints with the same time, the one whose id sorts last counts as the later one.
 *
 * @param checkpoints The checkpoints of any number of runs, in any order, for example all that
 * `listAllCheckpoints$` emits. Pass all checkpoints of each run, since `keepLast` counts them.
 * @param rule With `keepLast` checkpoints that are not among the last expire; with `maxAgeMs` those
 * that are older; with both those that are neither among the last nor young enough.
 * @returns The checkpoints that expire, in the order of the input.
 * @throws {InvalidArgumentError} if the rule has no condition, since every checkpoint would expire; if
 * an argument is invalid.
 *
 * @example
 * ```ts
 * import { expiredCheckpoints, RestClient } from "@hpcai/rx";
 * import { concatMap, toArray } from "rxjs";
 *
 * const client = new RestClient();
 * const rule = { keepLast: 2, maxAgeMs: 30 * 24 * 60 * 60 * 1000 };
 *
 * await client.listAllCheckpoints$().pipe(
 *   toArray(),
 *   concatMap((all) => client.deleteCheckpoints$(expiredCheckpoints(all, rule), { dryRun: true })),
 * ).forEach((result) => console.log(result.type, result.checkpoint));
 * ```
 */
export function expiredCheckpoints(
  checkpoints: Iterable<RunCheckpoint>,
  rule: RetentionRule,
): RunCheckpoint[] {
  requireIterable("checkpoints", checkpoints);
  requireOptions("rule", rule);
  const { keepLast, maxAgeMs, types = DEFAULT_TYPES } = rule;
  if (keepLast === undefined && maxAgeMs === undefined) {
    throw new InvalidArgumentError(
      "rule",
      "must have keepLast or maxAgeMs, or every checkpoint expires",
    );
  }
  if (keepLast !== undefined) requireInteger("keepLast", keepLast, 0);
  requireIterable("types", types);
  for (const type of types) requireCheckpointType("types", type);
  const expiry = maxAgeMs === undefined ? Infinity : expiryTime(maxAgeMs, rule.now);
  const all = [...checkpoints];
  for (const { trainingRunId, time } of all) {
    requireTrainingRunId(trainingRunId);
    if (time !== null) requireDate("time", time);
  }
  const kept = keptRoutes(all, new Set(types), keepLast ?? 0, expiry);
  return all.filter((checkpoint) => !kept.has(routeOf(checkpoint)));
}

/** Returns the time before which a checkpoint is too old. */
function expiryTime(maxAgeMs: unknown, now = new Date()): number {
  if (typeof maxAgeMs !== "number" || !(maxAgeMs >= 0)) {
    throw new InvalidArgumentError(
      "maxAgeMs",
      `must be a number of milliseconds from 0, got ${show(maxAgeMs)}`,
    );
  }
  requireDate("now", now);
  return now.getTime() - maxAgeMs;
}

/** Throws unless `value` is a valid time: an invalid one makes the sort order undefined. */
function requireDate(argument: string, value: unknown): void {
  if (value instanceof Date && !Number.isNaN(value.getTime())) return;
  throw new InvalidArgumentError(argument, `must be a valid Date, got ${show(value)}`);
}

/**
 * Returns what a deletion addresses: the API's routes have no type, and two checkpoint paths can name
 * the same checkpoint.
 */
function routeOf({ trainingRunId, checkpointId }: Checkpoint): string {
  return `${trainingRunId}/${checkpointId}`;
}

/** Returns the routes of the checkpoints to keep. */
function keptRoutes(
  checkpoints: readonly RunCheckpoint[],
  types: ReadonlySet<string>,
  keepLast: number,
  expiry: number,
): Set<string> {
  const kept = new Set<string>();
  const counts = new Map<string, number>();
  const distinct = new Map(
    checkpoints.map((checkpoint) => [checkpointKey(checkpoint), checkpoint]),
  );
  for (const checkpoint of [...distinct.values()].sort(compareLatestFirst)) {
    const { checkpointType, time, trainingRunId } = checkpoint;
    if (time === null || !types.has(checkpointType)) continue;
    const group = `${checkpointType} ${trainingRunId}`;
    const count = (counts.get(group) ?? 0) + 1;
    counts.set(group, count);
    if (count <= keepLast || time.getTime() >= expiry) kept.add(routeOf(checkpoint));
  }
  for (const checkpoint of checkpoints) {
    const { checkpointType, time, trainingRun } = checkpoint;
    if (time === null || !types.has(checkpointType)) kept.add(routeOf(checkpoint));
    for (const last of [trainingRun.lastCheckpoint, trainingRun.lastSamplerCheckpoint]) {
      if (last !== null) kept.add(routeOf(last));
    }
  }
  return kept;
}
