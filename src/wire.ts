import * as v from "valibot";
import type { Checkpoint, Cursor, TrainingRun, TrainingRunsResponse } from "./types.ts";

// The fields that the API's reference documents must have the types that it documents, or the response
// is refused with the path of the fault: a guess would be wrong data without notice. Where servers of
// the family send null or nothing, the public types have null. A type of checkpoint that is not known
// passes through, a field that is not known is ignored, and a malformed extra, such as size_bytes, is
// dropped, since no listing depends on it.

/** A schema that turns one kind of wire JSON into its public type. */
export type WireSchema<T> = v.GenericSchema<unknown, T>;

/**
 * A date and time of RFC 3339, section 5.6, or as pydantic takes it: seconds and zone may be absent.
 * Everything up to the seconds has a fixed place.
 */
const TIMESTAMP =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])[Tt_ ](?:[01]\d|2[0-3]):[0-5]\d(?::(?:[0-5]\d|60)(?:[.,]\d+)?)?(?:[Zz]|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)?$/;

/** The largest number that pydantic reads as seconds since 1970; it reads larger ones as milliseconds. */
const MAX_SECONDS = 2e10;

/**
 * Reads a timestamp. Without a zone it is UTC, since SQLite drops the zone of what servers store. A
 * leap second is the first second of the next minute. A `Date` keeps milliseconds, not microseconds.
 *
 * By arithmetic, since `Date.parse` takes half of these forms, takes a February 30 in some runtimes, and
 * is slower; a page of 100 runs has 250 timestamps.
 */
function parseTimestamp(value: unknown): Date | undefined {
  if (typeof value === "number") {
    const date = new Date(Math.abs(value) > MAX_SECONDS ? value : value * 1000);
    return Number.isNaN(date.getTime()) ? undefined : date;
  }
  if (typeof value !== "string" || !TIMESTAMP.test(value)) return undefined;
  const digit = (at: number) => value.charCodeAt(at) - 48;
  const number = (at: number) => digit(at) * 10 + digit(at + 1);
  const [year, month, day] = [number(0) * 100 + number(2), number(5), number(8)];
  const days = daysSince1970(year, month, day);
  if (day > 28 && days >= daysSince1970(year, month + 1, 1)) return undefined;
  const seconds = value[16] === ":" ? number(17) : 0;
  let ms = 0;
  if (value[19] === "." || value[19] === ",") {
    for (let at = 20, unit = 100; at < 23 && digit(at) >= 0 && digit(at) <= 9; at++, unit /= 10) {
      ms += digit(at) * unit;
    }
  }
  let minutes = number(14);
  const zone = value.endsWith("Z") ? 0 : Math.max(value.lastIndexOf("+"), value.lastIndexOf("-"));
  if (zone > 10) {
    const offset = number(zone + 1) * 60 + (value.length > zone + 3 ? number(value.length - 2) : 0);
    minutes += value[zone] === "-" ? offset : -offset;
  }
  return new Date(((days * 24 + number(11)) * 60 + minutes) * 60_000 + seconds * 1000 + ms);
}

/** Days of the Gregorian calendar; the month after December is the next January. Years begin in March. */
function daysSince1970(year: number, month: number, day: number): number {
  const y = month > 2 ? year : year - 1;
  const m = month > 2 ? month - 3 : month + 9;
  const leapDays = Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400);
  return y * 365 + leapDays + Math.floor((m * 153 + 2) / 5) + day - 719_469;
}

const timestamp = v.nullish(
  v.pipe(
    v.unknown(),
    v.rawTransform(({ dataset: { value }, addIssue, NEVER }) => {
      const date = parseTimestamp(value);
      if (date !== undefined) return date;
      addIssue({ message: "expected an ISO 8601 date and time" });
      return NEVER;
    }),
  ),
  null,
);

/** What is read only where it is as expected. */
const extra = v.nullish(v.unknown());

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

const checkpoint = v.pipe(
  v.object({
    checkpoint_id: v.string(),
    checkpoint_type: v.string(),
    time: timestamp,
    checkpoint_path: extra,
    tinker_path: extra,
    size_bytes: extra,
    expires_at: extra,
    public: extra,
  }),
  v.rawTransform(({ dataset: { value: wire }, addIssue, NEVER }) => {
    const checkpointPath = wire.checkpoint_path ?? wire.tinker_path;
    if (typeof checkpointPath === "string") return { wire, checkpointPath };
    const at = { type: "object", origin: "value", input: wire, key: "checkpoint_path" } as const;
    addIssue({ message: "expected a text", path: [{ ...at, value: checkpointPath }] });
    return NEVER;
  }),
);

/** What can be written until it is given away. */
type Draft<T> = { -readonly [K in keyof T]: T[K] };

function toCheckpoint(
  trainingRunId: string,
  { wire, checkpointPath }: v.InferOutput<typeof checkpoint>,
): Checkpoint {
  const made: Draft<Checkpoint> = {
    trainingRunId,
    checkpointId: wire.checkpoint_id,
    checkpointType: wire.checkpoint_type,
    time: wire.time,
    checkpointPath,
  };
  if (isCount(wire.size_bytes)) made.sizeBytes = wire.size_bytes;
  const expiresAt = parseTimestamp(wire.expires_at);
  if (expiresAt) made.expiresAt = expiresAt;
  if (typeof wire.public === "boolean") made.public = wire.public;
  return made;
}

/** A training run, as `GET /api/v1/training_runs/{training_run_id}` answers. */
export const trainingRun: WireSchema<TrainingRun> = v.pipe(
  v.object({
    training_run_id: v.string(),
    base_model: v.string(),
    model_owner: v.nullish(v.string(), null),
    is_lora: v.boolean(),
    corrupted: v.nullish(v.boolean(), false),
    lora_rank: v.nullish(v.number(), null),
    last_request_time: timestamp,
    last_checkpoint: v.nullish(checkpoint, null),
    last_sampler_checkpoint: v.nullish(checkpoint, null),
    user_metadata: extra,
  }),
  v.transform((wire) => {
    const trainingRunId = wire.training_run_id;
    const { last_checkpoint: last, last_sampler_checkpoint: lastSampler } = wire;
    return {
      trainingRunId,
      baseModel: wire.base_model,
      modelOwner: wire.model_owner,
      isLora: wire.is_lora,
      corrupted: wire.corrupted,
      loraRank: wire.lora_rank,
      lastRequestTime: wire.last_request_time,
      lastCheckpoint: last && toCheckpoint(trainingRunId, last),
      lastSamplerCheckpoint: lastSampler && toCheckpoint(trainingRunId, lastSampler),
      ...isRecord(wire.user_metadata) && { userMetadata: wire.user_metadata },
    };
  }),
);

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const count = v.custom<number>(isCount, "expected a count");

const cursor: WireSchema<Cursor> = v.pipe(
  v.object({ offset: count, limit: count, total_count: count }),
  v.transform(({ offset, limit, total_count }) => ({ offset, limit, totalCount: total_count })),
);

/** A page of training runs, as `GET /api/v1/training_runs` answers. */
export const trainingRunsResponse: WireSchema<TrainingRunsResponse> = v.pipe(
  v.object({ training_runs: v.array(trainingRun), cursor }),
  v.transform(({ training_runs, cursor }) => ({ trainingRuns: training_runs, cursor })),
);

/** Checkpoints of a run: a page of them where there is a cursor, else all. */
export interface CheckpointsPage {
  readonly checkpoints: readonly Checkpoint[];
  readonly cursor: Cursor | null;
}

/** Checkpoints, as `GET /api/v1/training_runs/{training_run_id}/checkpoints` answers. */
export function checkpointsPage(trainingRunId: string): WireSchema<CheckpointsPage> {
  return v.pipe(
    v.object({ checkpoints: v.array(checkpoint), cursor: v.nullish(cursor, null) }),
    v.transform(({ checkpoints, cursor }) => ({
      checkpoints: checkpoints.map((checkpoint) => toCheckpoint(trainingRunId, checkpoint)),
      cursor,
    })),
  );
}

/** A signed URL, as some servers answer for an archive. */
export const signedUrl: WireSchema<{ readonly url: string }> = v.object({ url: v.string() });
