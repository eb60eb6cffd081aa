/**
 * A reactive client for the HPC-AI fine-tuning REST API: every endpoint as an RxJS Observable, on
 * native `fetch` and web streams.
 *
 * This module is browser compatible.
 *
 * @example
 * ```ts
 * import { RestClient } from "@hpcai/rx";
 * import { filter } from "rxjs";
 *
 * const client = new RestClient(); // the key is read from HPCAI_API_KEY
 * client.listAllTrainingRuns$().pipe(
 *   filter((run) => run.baseModel === "Qwen/Qwen3-8B"),
 * ).subscribe((run) => console.log(run.trainingRunId, run.loraRank));
 * ```
 *
 * @module
 */

export {
  formatCheckpointPath,
  parseCheckpointPath,
  type ParsedCheckpointPath,
} from "./src/checkpoint_path.ts";
export type {
  ArchiveEntriesOptions,
  ArchiveEntry,
  ArchiveEntryHeader,
  ArchiveEntryType,
  ReadArchiveEntryOptions,
} from "./src/download/archive_entry.ts";
export type {
  ArchiveFormat,
  DownloadCompleteEvent,
  DownloadEvent,
  DownloadOptions,
  DownloadPreparingEvent,
  DownloadProgressEvent,
  DownloadRestartEvent,
  DownloadRestartReason,
  TransferOptions,
} from "./src/download/download_event.ts";
export {
  type TotalProgress,
  totalProgress,
  type TransferEvent,
} from "./src/download/total_progress.ts";
export {
  ApiConnectionError,
  type ApiConnectionErrorOptions,
  ApiError,
  ApiRedirectError,
  type ApiRequestInfo,
  ApiResponseValidationError,
  type ApiStatus,
  ApiStatusError,
  ApiTimeoutError,
  ArchiveEntryNotFoundError,
  AuthenticationError,
  BadRequestError,
  ConflictError,
  type ConnectionObstacle,
  DownloadInterruptedError,
  HpcaiError,
  type HpcaiErrorOptions,
  InconsistentListingError,
  InternalServerError,
  InvalidArchiveError,
  InvalidArgumentError,
  InvalidCheckpointPathError,
  LimitExceededError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
  TransferTooSlowError,
  UnprocessableEntityError,
  UnsafeArchiveError,
} from "./src/errors.ts";
export type {
  WatchAddedEvent,
  WatchChangedEvent,
  WatchEvent,
  WatchOptions,
  WatchRemovedEvent,
} from "./src/listing/watch_event.ts";
export type {
  DeleteCheckpointsOptions,
  DeletedResult,
  DeleteFailedResult,
  DeletePlannedResult,
  DeleteResult,
} from "./src/listing/delete_checkpoints.ts";
export { expiredCheckpoints, type RetentionRule } from "./src/listing/expired_checkpoints.ts";
export { latestCheckpoint } from "./src/listing/latest_checkpoint.ts";
export type { ListAllCheckpointsOptions } from "./src/listing/list_all_checkpoints.ts";
export type { ListAllTrainingRunsOptions } from "./src/listing/list_all_training_runs.ts";
export type { RestClientOptions, RetryOptions } from "./src/options.ts";
export { type ListTrainingRunsQuery, RestClient } from "./src/rest_client.ts";
export type {
  CallErrorEvent,
  CancelEvent,
  ClientEvent,
  ClientEventBase,
  ClientOperation,
  FailureEvent,
  HopEventBase,
  RequestEvent,
  ResponseEvent,
  RetryEvent,
} from "./src/transport/client_event.ts";
export type {
  Checkpoint,
  CheckpointIds,
  CheckpointRef,
  CheckpointsListResponse,
  CheckpointType,
  PageCursor,
  RunCheckpoint,
  TrainingRun,
  TrainingRunsResponse,
} from "./src/types.ts";
