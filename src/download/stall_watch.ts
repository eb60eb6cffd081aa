import { asyncScheduler } from "rxjs";

/** Tells waits that are too long, with one timer for all of them. */
export interface StallWatch {
  /** A wait begins. */
  begin(): void;
  /** It ends. */
  end(): void;
  /** No more waits come. */
  stop(): void;
}

/**
 * Watches waits.
 *
 * @param limitMs How long a wait may be, in milliseconds.
 * @param onStall Is called once, when one is longer.
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
