// This module is browser compatible.

import type { ErrorShape } from "./error_body.ts";
import type { FakeOperation, RecordedRequest } from "./recorded_request.ts";

/** The answer is an error's, or any other status's. */
export interface StatusFault {
  /** Tells the fault apart. */
  readonly type: "status";
  /** The status, 200 to 599. */
  readonly status: number;
  /** More headers, such as `{ "Retry-After": "2" }`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** How the body is written. Default: `"hpcai"`. */
  readonly shape?: ErrorShape;
  /** The error's code. Default: one that fits the status, such as `"rate_limited"`. */
  readonly code?: string;
  /** The error's message. Default: the status in words. */
  readonly message?: string;
  /** The error's `details`, in the `"hpcai"` shape. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** The whole body, instead of one written in a shape. Give its `Content-Type` in `headers`. */
  readonly body?: string;
  /** `true` to let the operation take effect before its answer is lost. Default: `false`. */
  readonly afterEffect?: boolean;
}

/** The answer comes late. Combines with the next fault that fits the same request. */
export interface DelayFault {
  /** Tells the fault apart. */
  readonly type: "delay";
  /** How long, in milliseconds. `Infinity` waits until the request is aborted, with no timer. */
  readonly ms: number;
}

/**
 * No answer comes: `fake.fetch` rejects with a `TypeError`, as `fetch` does when it can't connect.
 * Over a socket, where a handler has to answer something, the answer's body breaks off at once.
 */
export interface ConnectionErrorFault {
  /** Tells the fault apart. */
  readonly type: "connection-error";
  /** `true` to let the operation take effect before its answer is lost. Default: `false`. */
  readonly afterEffect?: boolean;
}

/** The connection is lost while the body is read: its stream errors. */
export interface CutFault {
  /** Tells the fault apart. */
  readonly type: "cut";
  /** How many bytes of this answer's body still arrive; the whole body at most. */
  readonly afterBytes: number;
}

/** The body goes silent and stays open until the request is aborted. */
export interface StallFault {
  /** Tells the fault apart. */
  readonly type: "stall";
  /** How many bytes of this answer's body still arrive; the whole body at most. */
  readonly afterBytes: number;
}

/** The body ends early as if it were whole. */
export interface TruncateFault {
  /** Tells the fault apart. */
  readonly type: "truncate";
  /** How many bytes of this answer's body arrive; the whole body at most. */
  readonly afterBytes: number;
  /** `false` to leave out `Content-Length`, so that nothing tells the loss. Default: `true`. */
  readonly announceLength?: boolean;
}

/** The body is whole but `Content-Length` says otherwise. A server's own HTTP layer may refuse. */
export interface WrongLengthFault {
  /** Tells the fault apart. */
  readonly type: "wrong-length";
  /** The `Content-Length` to announce, in bytes. */
  readonly length: number;
}

/** The body is the first half of the right one, with a `Content-Length` that fits. */
export interface MalformedJsonFault {
  /** Tells the fault apart. */
  readonly type: "malformed-json";
}

/** The answer sends the client elsewhere. */
export interface RedirectFault {
  /** Tells the fault apart. */
  readonly type: "redirect";
  /** Where to, absolute or relative to the request. */
  readonly location: string;
  /** The status. Default: 302. */
  readonly status?: 301 | 302 | 303 | 307 | 308;
  /** `true` to let the operation take effect before its answer is lost. Default: `false`. */
  readonly afterEffect?: boolean;
}

/**
 * The body is labelled `Content-Encoding: gzip`, as misconfigured object stores label a `.tar.gz`:
 * `fetch` unpacks it by itself, while `Content-Length` counts the packed bytes.
 */
export interface EncodedFault {
  /** Tells the fault apart. */
  readonly type: "encoded";
}

/** Something that goes wrong with a request. */
export type Fault =
  | StatusFault
  | DelayFault
  | ConnectionErrorFault
  | CutFault
  | StallFault
  | TruncateFault
  | WrongLengthFault
  | MalformedJsonFault
  | RedirectFault
  | EncodedFault;

/** Which requests a fault strikes, and how many of them. */
export interface FaultTarget {
  /** An operation, or a test of the request. Default: every request. */
  readonly on?: FakeOperation | ((request: RecordedRequest) => boolean);
  /** How many requests it strikes; `Infinity` for all to come. Default: 1. */
  readonly times?: number;
}

/**
 * What to break next, and how. Faults strike in the order in which they were added, one a request,
 * except that a delay combines with what comes after it.
 *
 * @example
 * ```ts
 * import { FakeHpcai } from "@hpcai/rx/testing";
 *
 * const fake = new FakeHpcai();
 * fake.faults.add({ type: "status", status: 429, headers: { "Retry-After": "1" } });
 * fake.faults.add({ type: "cut", afterBytes: 70_000 }, { on: "archive", times: 2 });
 * fake.faults.add({ type: "connection-error", afterEffect: true }, { on: "deleteCheckpoint" });
 *
 * const url = "https://www.hpc-ai.com/finetunesdk/api/v1/training_runs";
 * const response = await fake.fetch(url, { headers: { "X-API-Key": fake.apiKey } });
 * await response.body?.cancel();
 * console.log(response.status); // 429
 * ```
 */
export interface FakeFaults {
  /** How many strikes are still to come: `Infinity` when one of the faults is for ever. */
  readonly pending: number;

  /**
   * Orders a fault.
   *
   * @param fault What goes wrong.
   * @param target Which requests it strikes, and how many. Default: the next request.
   * @throws {RangeError} When a number in either makes no sense.
   */
  add(fault: Fault, target?: FaultTarget): void;

  /** Calls off all faults that have not struck. */
  clear(): void;
}
