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
import { latestFirst } from "./latest_first.ts";

/** Which checkpoints to keep: those that either condition keeps. At least one has to be given. */
export interface RetentionRule {
  /** How many of the latest checkpoints of each type are kept for each run. */
  readonly keepLast?: number | undefined;
  /** How old a checkpoint may be, in milliseconds, to be kept for its age. */
  readonly maxAgeMs?: number | undefined;
  /** The time from which age counts back. Default: that of the call. */
  readonly now?: Date | undefined;
  /**
   * The types of checkpoints that the rule applies to; those of others are kept. Default:
   * `["training", "sampler"]`.
   */
  readonly types?: readonly CheckpointType[] | undefined;
}

const DEFAULT_TYPES: readonly CheckpointType[] = ["training", "sampler"];

/**
 * Finds the checkpoints that a retention rule does not keep. A pure function: it deletes nothing.
 *
 * Always kept are:
 * - those that a run names as its `lastCheckpoint` or `lastSamplerCheckpoint`;
 * - those of a type that the rule does not apply to, which is every type but `training` and `sampler`
 *   unless `types` names it;
 * - those whose time is `null`, since how old they are cannot be told; they do not count for `keepLast`;
 * - those with the id of a kept one of another type, since a deletion cannot tell them apart.
 *
 * Of two with the same time, the one whose id sorts last counts as the later.
 *
 * @param checkpoints Those of any number of runs, in any order, for example all that
 * `listAllCheckpoints$` emits. Of each run all have to be there, since `keepLast` counts them.
 * @param rule With `keepLast` what is not among the last expires; with `maxAgeMs` what is older;
 * with both only what is neither among the last nor young enough.
 * @returns Those that expire, in the order in which they were given.
 * @throws {InvalidArgumentError} if the rule has no condition, since everything would expire then; if
 * an argument is not usable.
 *
 * @example
 * ```ts
 * import { expiredCheckpoints, RestClient } from "@hpcai/rx";
 * import { FakeHpcai } from "@hpcai/rx/testing";
 * import { concatMap, toArray } from "rxjs";
 *
 * const fake = new FakeHpcai();
 * const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch });
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
    throw new InvalidArgumentError("rule", "must have keepLast or maxAgeMs, else all expire");
  }
  if (keepLast !== undefined) requireInteger("keepLast", keepLast, 0);
  requireIterable("types", types);
  for (const type of types) requireCheckpointType("types", type);
  const expiry = maxAgeMs === undefined ? Infinity : expiryTime(maxAgeMs, rule.now);
  const given = [...checkpoints];
  for (const { trainingRunId, time } of given) {
    requireTrainingRunId(trainingRunId);
    if (time !== null) requireDate("time", time);
  }
  const kept = keptRoutes(given, new Set(types), keepLast ?? 0, expiry);
  return given.filter((checkpoint) => !kept.has(routeOf(checkpoint)));
}

/** The time before which a checkpoint is too old. */
function expiryTime(maxAgeMs: unknown, now = new Date()): number {
  if (typeof maxAgeMs !== "number" || !(maxAgeMs >= 0)) {
    throw new InvalidArgumentError(
      "maxAgeMs",
      `must be a number of milliseconds from 0, but is ${show(maxAgeMs)}`,
    );
  }
  requireDate("now", now);
  return now.getTime() - maxAgeMs;
}

/** Throws unless `value` is a time: without one, what is the latest depends on the order. */
function requireDate(argument: string, value: unknown): void {
  if (value instanceof Date && !Number.isNaN(value.getTime())) return;
  throw new InvalidArgumentError(argument, `must be a valid Date, but is ${show(value)}`);
}

/** What a deletion names: the API's routes have no type, and a path can be written in two ways. */
function routeOf({ trainingRunId, checkpointId }: Checkpoint): string {
  return `${trainingRunId}/${checkpointId}`;
}

/** The routes of those that are kept. */
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
  for (const checkpoint of [...distinct.values()].sort(latestFirst)) {
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
