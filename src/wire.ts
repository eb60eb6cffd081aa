import * as v from "valibot";
import type {
  Checkpoint,
  CheckpointsListResponse,
  TrainingRun,
  TrainingRunsResponse,
} from "./types.ts";

/** A schema that turns one kind of wire JSON into its public type. */
export type WireSchema<T> = v.GenericSchema<unknown, T>;

/** An ISO 8601 date and time: with or without fractions of a second, with or without a zone. */
const TIMESTAMP = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)?$/;

const ZONE = /(?:Z|[+-]\d\d:\d\d)$/;

/**
 * Reads a timestamp. Without a zone it is UTC, since SQLite drops the zone of what servers store, and
 * `Date` alone would take it as local time. A `Date` keeps milliseconds, not microseconds.
 */
function parseTimestamp(text: string): Date {
  // ECMAScript's format has no space, and Safari refuses it.
  const iso = text.includes(" ") ? text.replace(" ", "T") : text;
  return new Date(ZONE.test(iso) ? iso : `${iso}Z`);
}

const timestamp = v.pipe(
  v.string(),
  v.rawTransform(({ dataset: { value }, addIssue, NEVER }) => {
    const date = TIMESTAMP.test(value) ? parseTimestamp(value) : undefined;
    if (date !== undefined && !Number.isNaN(date.getTime())) return date;
    addIssue({ message: "expected an ISO 8601 date and time" });
    return NEVER;
  }),
);

const checkpoint: WireSchema<Checkpoint> = v.pipe(
  v.object({
    checkpoint_id: v.string(),
    checkpoint_type: v.picklist(["training", "sampler"]),
    time: timestamp,
    checkpoint_path: v.string(),
  }),
  v.transform((wire) => ({
    checkpointId: wire.checkpoint_id,
    checkpointType: wire.checkpoint_type,
    time: wire.time,
    checkpointPath: wire.checkpoint_path,
  })),
);

/** A training run, as `GET /api/v1/training_runs/{training_run_id}` answers. */
export const trainingRun: WireSchema<TrainingRun> = v.pipe(
  v.object({
    training_run_id: v.string(),
    base_model: v.string(),
    model_owner: v.string(),
    is_lora: v.boolean(),
    corrupted: v.nullish(v.boolean(), false),
    lora_rank: v.nullish(v.number(), null),
    last_request_time: timestamp,
    last_checkpoint: v.nullish(checkpoint, null),
    last_sampler_checkpoint: v.nullish(checkpoint, null),
  }),
  v.transform((wire) => ({
    trainingRunId: wire.training_run_id,
    baseModel: wire.base_model,
    modelOwner: wire.model_owner,
    isLora: wire.is_lora,
    corrupted: wire.corrupted,
    loraRank: wire.lora_rank,
    lastRequestTime: wire.last_request_time,
    lastCheckpoint: wire.last_checkpoint,
    lastSamplerCheckpoint: wire.last_sampler_checkpoint,
  })),
);

const count = v.pipe(v.number(), v.check((n) => Number.isInteger(n) && n >= 0, "expected a count"));

/** A page of training runs, as `GET /api/v1/training_runs` answers. */
export const trainingRunsResponse: WireSchema<TrainingRunsResponse> = v.pipe(
  v.object({
    training_runs: v.array(trainingRun),
    cursor: v.object({ offset: count, limit: count, total_count: count }),
  }),
  v.transform(({ training_runs, cursor }) => ({
    trainingRuns: training_runs,
    cursor: { offset: cursor.offset, limit: cursor.limit, totalCount: cursor.total_count },
  })),
);

/** Checkpoints, as `GET /api/v1/training_runs/{training_run_id}/checkpoints` answers. */
export const checkpointsListResponse: WireSchema<CheckpointsListResponse> = v.object({
  checkpoints: v.array(checkpoint),
});

/** A signed URL, as some servers answer for an archive. */
export const signedUrl: WireSchema<{ readonly url: string }> = v.object({ url: v.string() });
