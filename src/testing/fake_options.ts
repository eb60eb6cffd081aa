// This module is browser compatible.

import type { ErrorShape } from "./error_body.ts";
import { MIN_ARCHIVE_BYTES } from "./lora_archive.ts";
import { requireInteger } from "./require_integer.ts";

/** The options of a {@linkcode FakeHpcai}. */
export interface FakeHpcaiOptions {
  /** The number of training runs. Default: 24. */
  readonly trainingRuns?: number;
  /** The seed of the generated data: equal seeds generate equal data. Default: 1. */
  readonly seed?: number;
  /** The length of each checkpoint's archive, in bytes; at least 16384. Default: 1 MiB. */
  readonly archiveBytes?: number;
  /** The delay of each response, in milliseconds. Default: 0. */
  readonly latencyMs?: number;
  /** The highest transfer rate of each response body, in bytes per second. Default: unlimited. */
  readonly bytesPerSecond?: number;
  /** The maximum page size of training runs; it caps the limit of a request. Default: 100. */
  readonly maxPageSize?: number;
  /**
   * The maximum page size of checkpoints. Where it is set, listings of checkpoints have pages and a cursor,
   * as on servers of the same family. Default: no pages; a listing contains all checkpoints.
   */
  readonly maxCheckpointPageSize?: number;
  /**
   * The response to a request for an archive. Default: `"bytes"`.
   *
   * - `"bytes"`: the archive itself
   * - `"redirect"`: a redirect to a signed URL on another origin
   * - `"json"`: JSON that contains such a URL
   */
  readonly archiveResponse?: "bytes" | "redirect" | "json";
  /** How long a signed URL is valid, in milliseconds. Default: 15 minutes. */
  readonly signedUrlTtlMs?: number;
  /**
   * The origin of signed URLs. Default: `https://storage.fake-hpcai.example`. Requests to `127.0.0.1`
   * get URLs at `localhost` with the same port, and vice versa, so that one server has both origins.
   */
  readonly storageOrigin?: string;
  /** The clock by which signed URLs expire. Default: `Date.now`. */
  readonly now?: () => number;
  /** Whether timestamps end in `Z` or have no time zone. Default: `"zoned"`. */
  readonly timestamps?: "zoned" | "naive";
  /**
   * The form of checkpoint paths. Default: `"weights"`.
   *
   * - `"weights"`: `weights/` and `sampler_weights/`
   * - `"training"`: `training/` and `sampler/`
   * - `"tinker"`: `tinker://…/weights/` in the field `tinker_path`, as on servers of the same family
   */
  readonly checkpointPaths?: "weights" | "training" | "tinker";
  /** The `total_count` of a page past the end: the number of items, or 0. Default: `"true"`. */
  readonly totalCountPastEnd?: "true" | "zero";
  /**
   * The form of error bodies. An invalid `limit` or `offset` always gets FastAPI's. Default: `"hpcai"`.
   */
  readonly errorShape?: ErrorShape;
}

/** The options without a default. */
type OptionalSetting = "bytesPerSecond" | "maxCheckpointPageSize" | "storageOrigin";

/** The options with their defaults. */
export type FakeSettings =
  & Required<Omit<FakeHpcaiOptions, OptionalSetting>>
  & { readonly [Name in OptionalSetting]: FakeHpcaiOptions[Name] | undefined };

const SIGNED_URL_TTL_MS = 15 * 60_000;

/**
 * Validates options and adds the defaults.
 *
 * @throws {RangeError} When a number is out of range.
 * @throws {TypeError} When `storageOrigin` is not a URL.
 */
export function toFakeSettings({
  trainingRuns = 24,
  seed = 1,
  archiveBytes = 2 ** 20,
  latencyMs = 0,
  bytesPerSecond,
  maxPageSize = 100,
  maxCheckpointPageSize,
  archiveResponse = "bytes",
  signedUrlTtlMs = SIGNED_URL_TTL_MS,
  storageOrigin,
  now = Date.now,
  timestamps = "zoned",
  checkpointPaths = "weights",
  totalCountPastEnd = "true",
  errorShape = "hpcai",
}: FakeHpcaiOptions): FakeSettings {
  requireInteger("trainingRuns", trainingRuns, 0);
  requireInteger("seed", seed, Number.MIN_SAFE_INTEGER);
  requireInteger("archiveBytes", archiveBytes, MIN_ARCHIVE_BYTES);
  requireInteger("latencyMs", latencyMs, 0);
  if (bytesPerSecond !== undefined) requireInteger("bytesPerSecond", bytesPerSecond, 1);
  requireInteger("maxPageSize", maxPageSize, 1);
  if (maxCheckpointPageSize !== undefined) {
    requireInteger("maxCheckpointPageSize", maxCheckpointPageSize, 1);
  }
  requireInteger("signedUrlTtlMs", signedUrlTtlMs, 0);
  return {
    trainingRuns,
    seed,
    archiveBytes,
    latencyMs,
    bytesPerSecond,
    maxPageSize,
    maxCheckpointPageSize,
    archiveResponse,
    signedUrlTtlMs,
    storageOrigin: storageOrigin === undefined ? undefined : new URL(storageOrigin).origin,
    now,
    timestamps,
    checkpointPaths,
    totalCountPastEnd,
    errorShape,
  };
}
