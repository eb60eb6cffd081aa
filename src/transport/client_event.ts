import type { HpcaiError } from "../errors.ts";

/** Which endpoint of the API a request goes to. */
export type Operation =
  | "listTrainingRuns"
  | "getTrainingRun"
  | "listCheckpoints"
  | "downloadCheckpointArchive"
  | "deleteCheckpoint";

/** What all events of a client have. */
export interface ClientEventContext {
  /** Numbers the requests of a client from 1; all attempts of one request share it. */
  readonly requestId: number;
  /** Which endpoint the request goes to. */
  readonly operation: Operation;
  /** The HTTP method. */
  readonly method: string;
  /** The request's URL without its query. */
  readonly url: string;
  /** Which attempt of the request it is, from 1. */
  readonly attempt: number;
}

/** An attempt begins, once it is its turn (`RestClientOptions.maxConcurrentRequests`). */
export interface RequestEvent extends ClientEventContext {
  /** Tells the events apart. */
  readonly type: "request";
}

/**
 * The headers of an answer are there, be it a success or an error. The bytes of an archive come after
 * that; how they get on is told by the download itself.
 */
export interface ResponseEvent extends ClientEventContext {
  /** Tells the events apart. */
  readonly type: "response";
  /** The HTTP status code, after redirects. */
  readonly status: number;
  /** How long the attempt took up to here, in milliseconds. */
  readonly durationMs: number;
}

/** An attempt failed, and another follows. */
export interface RetryEvent extends ClientEventContext {
  /** Tells the events apart. */
  readonly type: "retry";
  /** Why the attempt failed. */
  readonly error: HpcaiError;
  /** How long the client waits before the next attempt, in milliseconds. */
  readonly delayMs: number;
}

/** A request failed for good; the operation's Observable errors with the same error. */
export interface FailureEvent extends ClientEventContext {
  /** Tells the events apart. */
  readonly type: "failure";
  /** Why it failed. */
  readonly error: unknown;
}

/**
 * A request was given up by unsubscribing before its answer was there. One that has not had its turn
 * by then has no events at all.
 */
export interface CancelEvent extends ClientEventContext {
  /** Tells the events apart. */
  readonly type: "cancel";
}

/** What happens to a client's requests, for logs, spinners and tracing. Holds no secret. */
export type ClientEvent = RequestEvent | ResponseEvent | RetryEvent | FailureEvent | CancelEvent;
