// This module is browser compatible.

import type { ErrorShape } from "./error_body.ts";
import type { FakeOperation, RecordedRequest } from "./recorded_request.ts";

/** Sends a response with another status, such as an error, instead of the operation's. */
export interface StatusFault {
  /** The kind of fault. */
  readonly type: "status";
  /** The status, 200 to 599. */
  readonly status: number;
  /** Additional headers, such as `{ "Retry-After": "2" }`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The form of the body. Default: `"hpcai"`. */
  readonly shape?: ErrorShape;
  /** The error's code. Default: one that fits the status, such as `"rate_limited"`. */
  readonly code?: string;
  /** The error's message. Default: the status in words. */
  readonly message?: string;
  /** The error's `details`, in the `"hpcai"` shape. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** The complete body, instead of one in a shape. Set its `Content-Type` in `headers`. */
  readonly body?: string;
  /** Whether the operation takes effect although its response is lost. Default: `false`. */
  readonly afterEffect?: boolean;
}

/** Delays the response. Combines with the next fault that matches the same request. */
export interface DelayFault {
  /** The kind of fault. */
  readonly type: "delay";
  /** The delay in milliseconds. `Infinity` waits, without a timer, until the request is aborted. */
  readonly ms: number;
}

/**
 * Sends no response: `fake.fetch` rejects with a `TypeError`, as `fetch` does when it cannot connect.
 * `fake.handler` has to return a response, so its body fails before the first byte.
 */
export interface ConnectionErrorFault {
  /** The kind of fault. */
  readonly type: "connection-error";
  /** Whether the operation takes effect although its response is lost. Default: `false`. */
  readonly afterEffect?: boolean;
}

/** Loses the connection while the body is read: the stream errors. */
export interface CutFault {
  /** The kind of fault. */
  readonly type: "cut";
  /** How many bytes of this response's body arrive; limited to its length. */
  readonly afterBytes: number;
}

/** Sends part of the body and then no more data; the stream stays open until it is aborted. */
export interface StallFault {
  /** The kind of fault. */
  readonly type: "stall";
  /** How many bytes of this response's body arrive; limited to its length. */
  readonly afterBytes: number;
}

/** Ends the body early as if it were complete. */
export interface TruncateFault {
  /** The kind of fault. */
  readonly type: "truncate";
  /** How many bytes of this response's body arrive; limited to its length. */
  readonly afterBytes: number;
  /** `false` omits `Content-Length`, so that the loss cannot be detected. Default: `true`. */
  readonly announceLength?: boolean;
}

/**
 * Sends the complete body with a wrong `Content-Length`. The HTTP layer of a server may refuse to
 * send such a response.
 */
export interface WrongLengthFault {
  /** The kind of fault. */
  readonly type: "wrong-length";
  /** The value of `Content-Length`, in bytes. */
  readonly length: number;
}

/** Sends the first half of the body, with the `Content-Length` of that half. */
export interface MalformedJsonFault {
  /** The kind of fault. */
  readonly type: "malformed-json";
}

/** Redirects the request. */
export interface RedirectFault {
  /** The kind of fault. */
  readonly type: "redirect";
  /** The value of `Location`: absolute, or relative to the request. */
  readonly location: string;
  /** The status. Default: 302. */
  readonly status?: 301 | 302 | 303 | 307 | 308;
  /** Whether the operation takes effect although its response is lost. Default: `false`. */
  readonly afterEffect?: boolean;
}

/**
 * Labels the body `Content-Encoding: gzip`, as misconfigured object stores label a `.tar.gz`.
 *
 * `fetch` decompresses it, while `Content-Length` counts the compressed bytes.
 */
export interface EncodedFault {
  /** The kind of fault. */
  readonly type: "encoded";
}

/** A failure of one request. */
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

/** The requests that a fault applies to. */
export interface FaultTarget {
  /** An operation, or a predicate over the request. Default: every request. */
  readonly on?: FakeOperation | ((request: RecordedRequest) => boolean);
  /** The number of requests; `Infinity` for every later one. Default: 1. */
  readonly times?: number;
}

/**
 * The programmable faults of a fake: each `add` makes later requests fail in one way.
 *
 * Faults apply in the order in which they were added, one to each request, except that a delay combines
 * with the next fault.
 *
 * @example Test that an interrupted download resumes
 * ```ts
 * import { RestClient } from "@hpcai/rx";
 * import { FakeHpcai } from "@hpcai/rx/testing";
 * import { assertEquals } from "@std/assert";
 * import { firstValueFrom } from "rxjs";
 *
 * const fake = new FakeHpcai();
 * const retry = { initialDelayMs: 1 };
 * const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch, retry });
 * const trainingRunId = fake.addTrainingRun();
 * fake.addCheckpoint(trainingRunId, { checkpointId: "final" });
 *
 * fake.faults.add({ type: "cut", afterBytes: 70_000 }, { on: "archive" });
 * const bytes = await firstValueFrom(client.downloadCheckpointArchive$(trainingRunId, "final"));
 *
 * assertEquals(bytes, fake.archive(trainingRunId, "final").slice());
 * const ranges = fake.requests.map(({ headers }) => headers.get("Range"));
 * assertEquals(ranges, [null, "bytes=70000-"]);
 * ```
 *
 * @example Test that a deletion succeeds although its response is lost
 * ```ts
 * import { RestClient } from "@hpcai/rx";
 * import { FakeHpcai } from "@hpcai/rx/testing";
 * import { assertEquals } from "@std/assert";
 * import { firstValueFrom } from "rxjs";
 *
 * const fake = new FakeHpcai();
 * const retry = { initialDelayMs: 1 };
 * const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch, retry });
 * const trainingRunId = fake.addTrainingRun();
 * fake.addCheckpoint(trainingRunId, { checkpointId: "final" });
 *
 * fake.faults.add({ type: "connection-error", afterEffect: true }, { on: "deleteCheckpoint" });
 * await firstValueFrom(client.deleteCheckpoint$(trainingRunId, "final"));
 *
 * assertEquals(fake.checkpoints(trainingRunId), []);
 * ```
 */
export interface FakeFaults {
  /** How many requests the remaining faults apply to; `Infinity` if one of them has no end. */
  readonly pending: number;

  /**
   * Adds a fault to the end of the queue.
   *
   * @param fault What fails.
   * @param target The requests that it applies to. Default: the next request.
   * @throws {RangeError} When a number in either is out of range.
   */
  add(fault: Fault, target?: FaultTarget): void;

  /** Removes all pending faults. */
  clear(): void;
}
