// This module is browser compatible.

import { asyncScheduler } from "rxjs";

/** Detects a rate that is too low. */
export interface RateFloor {
  /** Begins a wait for bytes. */
  begin(): void;
  /** Ends the wait. Returns the rate in bytes per second if it is too low. */
  end(bytes: number): number | undefined;
}

/**
 * Measures the rate of a server over windows of time. Only the waits for the server count, not the time
 * of the sink.
 *
 * @param minBytesPerSecond The lowest rate; 0 for no limit.
 * @param windowMs The length of a window, in milliseconds.
 */
export function rateFloor(minBytesPerSecond: number, windowMs: number): RateFloor {
  if (minBytesPerSecond === 0) return { begin: () => {}, end: () => undefined };
  let since = 0;
  let waitedMs = 0;
  let receivedBytes = 0;
  return {
    begin: () => since = asyncScheduler.now(),
    end(bytes) {
      // Negative where the clock was set back.
      waitedMs += Math.max(0, asyncScheduler.now() - since);
      receivedBytes += bytes;
      if (waitedMs < windowMs) return undefined;
      const bytesPerSecond = receivedBytes / waitedMs * 1000;
      waitedMs = receivedBytes = 0;
      return bytesPerSecond < minBytesPerSecond ? bytesPerSecond : undefined;
    },
  };
}
