import type { ApiConnectionError, HpcaiError } from "../errors.ts";

/** The endpoint of the API that a call uses: a low-cardinality name for spans and metrics. */
export type ClientOperation =
  | "listTrainingRuns"
  | "getTrainingRun"
  | "listCheckpoints"
  | "downloadCheckpointArchive"
  | "deleteCheckpoint";

/** The fields of all events of a client. */
export interface ClientEventBase {
  /** Numbers the calls of a client from 1; all attempts and hops of a call share it. */
  readonly callId: number;
  /** The endpoint that the call uses. */
  readonly operation: ClientOperation;
  /** The attempt of the call, from 1. */
  readonly attempt: number;
  /** The HTTP method. */
  readonly method: string;
  /** The URL of the hop, or of the API request for events of the call, without its query. */
  readonly url: string;
}

/**
 * The fields of all events of a hop. A hop is one HTTP request: the API request itself, a redirect, a
 * signed URL from a JSON response, or a request that is repeated without its range.
 */
export interface HopEventBase extends ClientEventBase {
  /** Numbers the hops of an attempt from 1. */
  readonly hop: number;
  /** Whether the hop goes to the origin of the API, rather than to a storage, for example. */
  readonly isApiOrigin: boolean;
}

/** A hop is sent. The call has left its queue then (`RestClientOptions.maxConcurrentRequests`). */
export interface RequestEvent extends HopEventBase {
  /** Distinguishes the events. */
  readonly type: "request";
}

/**
 * A hop has received the headers of its response, of any status. The bytes of an archive follow; the
 * events of the download report their progress.
 */
export interface ResponseEvent extends HopEventBase {
  /** Distinguishes the events. */
  readonly type: "response";
  /** The HTTP status code; 0 for a redirect that a browser hides. */
  readonly status: number;
  /** The id that the server gave the request, where the response has one. */
  readonly requestId?: string | undefined;
  /** The time from the hop's `request`, in milliseconds. */
  readonly durationMs: number;
}

/** A hop has received no response: its connection failed, or the attempt timed out. */
export interface FailureEvent extends HopEventBase {
  /** Distinguishes the events. */
  readonly type: "failure";
  /** Why there is no response. */
  readonly error: ApiConnectionError;
  /** The time from the hop's `request`, in milliseconds. */
  readonly durationMs: number;
}

/** An attempt failed, and the call is retried. */
export interface RetryEvent extends ClientEventBase {
  /** Distinguishes the events. */
  readonly type: "retry";
  /** Why the attempt failed. */
  readonly error: HpcaiError;
  /** The wait before the next attempt, in milliseconds. */
  readonly delayMs: number;
}

/** A call failed for good; the operation's Observable errors with the same error. */
export interface CallErrorEvent extends ClientEventBase {
  /** Distinguishes the events. */
  readonly type: "error";
  /** Why it failed. */
  readonly error: unknown;
}

/**
 * A call was cancelled by unsubscribing before its response was read. The hop in flight is aborted
 * without a `response` or `failure`. A call that is cancelled in its queue has no events.
 */
export interface CancelEvent extends ClientEventBase {
  /** Distinguishes the events. */
  readonly type: "cancel";
}

/** An event of a client's calls, for logs, progress indicators and tracing. Contains no secret. */
export type ClientEvent =
  | RequestEvent
  | ResponseEvent
  | FailureEvent
  | RetryEvent
  | CallErrorEvent
  | CancelEvent;
