import type { HopResponse } from "./hop.ts";
import type { HopSender } from "./hop_sender.ts";

/** One attempt of a call, for those who read its response. */
export interface Attempt extends HopSender {
  /** The largest JSON response, in bytes. */
  readonly maxJsonBytes: number;
  /** Aborts the hop in flight, and the body of a response that is still being read. */
  abort(): void;
}

/**
 * Turns a response with a success status into a value. It is part of the attempt: the timeout covers it,
 * and a connection error in it is retried.
 */
export type ReadResponse<T> = (from: HopResponse, attempt: Attempt) => Promise<T>;
