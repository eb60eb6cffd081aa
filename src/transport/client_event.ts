import type { ApiConnectionError, HpcaiError } from "../errors.ts";

/** The endpoint of the API that a call uses. Few values, so that it can name a span or label a metric. */
export type ClientOperation =
  | "listTrainingRuns"
  | "getTrainingRun"
  | "listCheckpoints"
  | "downloadCheckpointArchive"
  | "deleteCheckpoint";

/** What all events of a client have. */
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
 * What the events of a hop have. A hop is one HTTP request: the API request itself, each redirect, a
 * signed URL from a JSON response, or a repetition without a range.
 */
export interface HopEventBase extends ClientEventBase {
  /** Numbers the hops of an attempt from 1. */
  readonly hop: number;
  /** Whether the hop goes to the origin of the API, and not to a storage, for example. */
  readonly isApiOrigin: boolean;
}

/** A hop is sent, once it is the call's turn (`RestClientOptions.maxConcurrentRequests`). */
export interface RequestEvent extends HopEventBase {
  /** Distinguishes the events. */
  readonly type: "request";
}

/**
 * A hop has received the headers of its response, whatever its status. The bytes of an archive follow;
 * the download itself reports their progress.
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
 * A call was cancelled by unsubscribing before its response was read. It ends the hop in flight, which
 * has no `response` or `failure` then. A call that is cancelled before its turn has no events.
 */
export interface CancelEvent extends ClientEventBase {
  /** Distinguishes the events. */
  readonly type: "cancel";
}

/** What happens to a client's calls, for logs, progress indicators and tracing. Holds no secret. */
export type ClientEvent =
  | RequestEvent
  | ResponseEvent
  | FailureEvent
  | RetryEvent
  | CallErrorEvent
  | CancelEvent;
