import {
  boolean,
  count,
  type Decode,
  decodeAt,
  field,
  isCount,
  isObject,
  list,
  mismatch,
  nullable,
  number,
  object,
  text,
} from "./json.ts";
import type { Checkpoint, PageCursor, TrainingRun, TrainingRunsResponse } from "./types.ts";

// - A field of the API's reference must have its documented type, or the response is invalid.
// - Where servers of the same family send null or omit a field, the public types have null.
// - An unknown checkpoint type is kept. An unknown field is ignored. An optional field such as size_bytes
//   is ignored where it is malformed, since no listing depends on it.

/**
 * A date and time of RFC 3339, section 5.6, or as pydantic accepts it: seconds and zone are optional.
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
 * `Date.parse` is not used: it rejects half of these forms, accepts February 30 in some runtimes, and is
 * slower, which matters with 250 timestamps on a page of 100 runs.
 */
function parseTimestamp(value: unknown): Date | undefined {
  if (typeof value === "number") {
    const date = new Date(Math.abs(value) > MAX_SECONDS ? value : value * 1000);
    return Number.isNaN(date.getTime()) ? undefined : date;
  }
  if (typeof value !== "string" || !TIMESTAMP.test(value)) return undefined;
  const digit = (at: number) => value.charCodeAt(at) - 48;
  const twoDigits = (at: number) => digit(at) * 10 + digit(at + 1);
  const [year, month, day] = [twoDigits(0) * 100 + twoDigits(2), twoDigits(5), twoDigits(8)];
  const days = daysSince1970(year, month, day);
  if (day > 28 && days >= daysSince1970(year, month + 1, 1)) return undefined;
  const seconds = value[16] === ":" ? twoDigits(17) : 0;
  let ms = 0;
  if (value[19] === "." || value[19] === ",") {
    for (let at = 20, unit = 100; at < 23 && digit(at) >= 0 && digit(at) <= 9; at++, unit /= 10) {
      ms += digit(at) * unit;
    }
  }
  let minutes = twoDigits(14);
  const zone = value.endsWith("Z") ? 0 : Math.max(value.lastIndexOf("+"), value.lastIndexOf("-"));
  if (zone > 10) {
    const offset = twoDigits(zone + 1) * 60 +
      (value.length > zone + 3 ? twoDigits(value.length - 2) : 0);
    minutes += value[zone] === "-" ? offset : -offset;
  }
  return new Date(((days * 24 + twoDigits(11)) * 60 + minutes) * 60_000 + seconds * 1000 + ms);
}

/** Days of the Gregorian calendar; the month after December is the next January. Years begin in March. */
function daysSince1970(year: number, month: number, day: number): number {
  const y = month > 2 ? year : year - 1;
  const m = month > 2 ? month - 3 : month + 9;
  const leapDays = Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400);
  return y * 365 + leapDays + Math.floor((m * 153 + 2) / 5) + day - 719_469;
}

function timestamp(value: unknown): Date {
  const date = parseTimestamp(value);
  if (date === undefined) throw mismatch("a date and time as in RFC 3339", value);
  return date;
}

const nullableTimestamp = nullable(timestamp);
const nullableText = nullable(text);
const nullableNumber = nullable(number);

/** A type with writable fields. */
type Draft<T> = { -readonly [K in keyof T]: T[K] };

function checkpointOf(trainingRunId: string): Decode<Checkpoint> {
  return (value) => {
    const wire = object(value);
    const checkpoint: Draft<Checkpoint> = {
      trainingRunId,
      checkpointId: field(wire, "checkpoint_id", text),
      checkpointType: field(wire, "checkpoint_type", text),
      time: field(wire, "time", nullableTimestamp),
      checkpointPath: decodeAt(
        wire["checkpoint_path"] ?? wire["tinker_path"],
        "checkpoint_path",
        text,
      ),
    };
    const { size_bytes, expires_at, public: isPublic } = wire;
    if (isCount(size_bytes)) checkpoint.sizeBytes = size_bytes;
    const expiresAt = parseTimestamp(expires_at);
    if (expiresAt !== undefined) checkpoint.expiresAt = expiresAt;
    if (typeof isPublic === "boolean") checkpoint.public = isPublic;
    return checkpoint;
  };
}

/** Decodes the response to `GET /api/v1/training_runs/{training_run_id}`. */
export function trainingRun(value: unknown): TrainingRun {
  const wire = object(value);
  const trainingRunId = field(wire, "training_run_id", text);
  const checkpoint = nullable(checkpointOf(trainingRunId));
  const run: Draft<TrainingRun> = {
    trainingRunId,
    baseModel: field(wire, "base_model", text),
    modelOwner: field(wire, "model_owner", nullableText),
    isLora: field(wire, "is_lora", boolean),
    corrupted: field(wire, "corrupted", nullable(boolean)) ?? false,
    loraRank: field(wire, "lora_rank", nullableNumber),
    lastRequestTime: field(wire, "last_request_time", nullableTimestamp),
    lastCheckpoint: field(wire, "last_checkpoint", checkpoint),
    lastSamplerCheckpoint: field(wire, "last_sampler_checkpoint", checkpoint),
  };
  const { user_metadata } = wire;
  if (isObject(user_metadata)) run.userMetadata = user_metadata;
  return run;
}

function cursor(value: unknown): PageCursor {
  const wire = object(value);
  return {
    offset: field(wire, "offset", count),
    limit: field(wire, "limit", count),
    totalCount: field(wire, "total_count", count),
  };
}

/** Decodes the response to `GET /api/v1/training_runs`. */
export function trainingRunsResponse(value: unknown): TrainingRunsResponse {
  const wire = object(value);
  return {
    trainingRuns: field(wire, "training_runs", list(trainingRun)),
    cursor: field(wire, "cursor", cursor),
  };
}

/** Checkpoints of a run: a page of them if there is a cursor, else all. */
export interface CheckpointsPage {
  readonly checkpoints: readonly Checkpoint[];
  readonly cursor: PageCursor | null;
}

/** Decodes the response to `GET /api/v1/training_runs/{training_run_id}/checkpoints`. */
export function checkpointsPage(trainingRunId: string): Decode<CheckpointsPage> {
  return (value) => {
    const wire = object(value);
    return {
      checkpoints: field(wire, "checkpoints", list(checkpointOf(trainingRunId))),
      cursor: field(wire, "cursor", nullable(cursor)),
    };
  };
}

/** Decodes the signed URL that some servers send in response to a request for an archive. */
export function signedUrl(value: unknown): { readonly url: string } {
  return { url: field(object(value), "url", text) };
}
