import type { HopResponse } from "./hop.ts";
import type { HopSender } from "./hop_sender.ts";

/** One attempt of a call, as the function that reads its response receives it. */
export interface Attempt extends HopSender {
  /** How large a JSON response may be, in bytes. */
  readonly maxJsonBytes: number;
  /** Aborts the hop in flight, and the body of a response that is still being read. */
  abort(): void;
}

/**
 * Turns a response with a success status into a value, as part of the attempt: the timeout applies, and a
 * connection error is retried.
 */
export type ReadResponse<T> = (from: HopResponse, attempt: Attempt) => Promise<T>;
