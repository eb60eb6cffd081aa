import { asyncScheduler } from "rxjs";

/** Detects a wait that is too long, with one timer for all waits. */
export interface IdleTimer {
  /** Begins a wait. */
  begin(): void;
  /** Ends the wait. */
  end(): void;
  /** Stops the timer. */
  stop(): void;
}

/**
 * Makes a timer.
 *
 * @param limitMs How long a wait may be, in milliseconds.
 * @param onStall Called once, when a wait is longer.
 */
export function idleTimer(limitMs: number, onStall: () => void): IdleTimer {
  let waitingSince: number | undefined;
  const timer = asyncScheduler.schedule(function () {
    const now = asyncScheduler.now();
    // The clock was set back.
    if (waitingSince !== undefined && waitingSince > now) waitingSince = now;
    const waitedMs = waitingSince === undefined ? 0 : now - waitingSince;
    if (waitedMs >= limitMs) onStall();
    else this.schedule(undefined, limitMs - waitedMs);
  }, limitMs);
  return {
    begin: () => waitingSince = asyncScheduler.now(),
    end: () => waitingSince = undefined,
    stop: () => timer.unsubscribe(),
  };
}
