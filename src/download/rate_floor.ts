// This module is browser compatible.

import { asyncScheduler } from "rxjs";

/** Watches that bytes do not arrive too slowly. */
export interface RateFloor {
  /** Begins a wait for bytes. */
  begin(): void;
  /** Ends it. Returns the rate in bytes per second if that is too low. */
  end(bytes: number): number | undefined;
}

/**
 * Watches the rate of a server over windows of time, in which only the waits for it count: a slow sink
 * is no slow server.
 *
 * @param minBytesPerSecond The lowest rate; 0 for no limit.
 * @param windowMs How long it may be lower, in milliseconds.
 */
export function rateFloor(minBytesPerSecond: number, windowMs: number): RateFloor {
  if (minBytesPerSecond === 0) return { begin: () => {}, end: () => undefined };
  let since = 0;
  let waitedMs = 0;
  let received = 0;
  return {
    begin: () => since = asyncScheduler.now(),
    end(bytes) {
      // Negative where the clock was set back.
      waitedMs += Math.max(0, asyncScheduler.now() - since);
      received += bytes;
      if (waitedMs < windowMs) return undefined;
      const bytesPerSecond = received / waitedMs * 1000;
      waitedMs = received = 0;
      return bytesPerSecond < minBytesPerSecond ? bytesPerSecond : undefined;
    },
  };
}
