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
    const waitedMs = waitingSince === undefined ? 0 : asyncScheduler.now() - waitingSince;
    if (waitedMs >= limitMs) onStall();
    else this.schedule(undefined, limitMs - waitedMs);
  }, limitMs);
  return {
    begin: () => waitingSince = asyncScheduler.now(),
    end: () => waitingSince = undefined,
    stop: () => timer.unsubscribe(),
  };
}
