import { asyncScheduler } from "rxjs";

/** Detects a wait that is too long, with one timer for all waits. */
export interface StallWatch {
  /** Begins a wait. */
  begin(): void;
  /** Ends it. */
  end(): void;
  /** Stops the timer. */
  stop(): void;
}

/**
 * Makes a watch.
 *
 * @param limitMs How long a wait may be, in milliseconds.
 * @param onStall Called once, when a wait is longer.
 */
export function stallWatch(limitMs: number, onStall: () => void): StallWatch {
  let waitingSince: number | undefined;
  const timer = asyncScheduler.schedule(function () {
    const now = asyncScheduler.now();
    // A clock that was set back must not make a wait endless.
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
