// This module is browser compatible.

/** The operation that a request performs on the fake; `"storage"` opens a signed URL. */
export type FakeOperation =
  | "listTrainingRuns"
  | "getTrainingRun"
  | "listCheckpoints"
  | "archive"
  | "storage"
  | "deleteCheckpoint";

/** A request that the fake received. */
export interface RecordedRequest {
  /** The method, in capitals. */
  readonly method: string;
  /** The URL, with its query. */
  readonly url: string;
  /** The headers, with the key if it was sent. */
  readonly headers: Headers;
  /** The operation; `undefined` where the fake has no such route. */
  readonly operation: FakeOperation | undefined;
}
