// This module is browser compatible.

/** What a request asks of the fake. `"storage"` is a request to a signed URL. */
export type FakeOperation =
  | "listTrainingRuns"
  | "getTrainingRun"
  | "listCheckpoints"
  | "archive"
  | "storage"
  | "deleteCheckpoint";

/** A request as it reached the fake. */
export interface RecordedRequest {
  /** The method, in capitals. */
  readonly method: string;
  /** The whole URL, with its query. */
  readonly url: string;
  /** The headers, the key among them where it was sent. */
  readonly headers: Headers;
  /** What it asked for; `undefined` where there is no such route. */
  readonly operation: FakeOperation | undefined;
}
