import { asyncScheduler, Observable, type OperatorFunction } from "rxjs";
import type {
  DownloadPreparingEvent,
  DownloadProgressEvent,
  DownloadRestartEvent,
} from "./download_event.ts";
import type { TransferLoaded } from "./pump.ts";
import type { TransferUpdate } from "./transfer.ts";

/** The rate is an average of this time, so that it follows the network without jumps. */
const RATE_WINDOW_MS = 5_000;

/** How many bytes had arrived at a point in time. */
interface Sample {
  readonly time: number;
  readonly loaded: number;
}

/**
 * Turns the updates of a transfer into download events: progress at most every `intervalMs`, the first
 * and the last always; all other events immediately; and a final one when the transfer is complete.
 *
 * @param intervalMs The shortest time between two progress events, in milliseconds.
 * @param complete Makes the final event.
 */
export function toDownloadEvents<C>(
  intervalMs: number,
  complete: (last: TransferLoaded) => C,
): OperatorFunction<
  TransferUpdate,
  DownloadPreparingEvent | DownloadProgressEvent | DownloadRestartEvent | C
> {
  return (transfer$) =>
    new Observable((subscriber) => {
      let samples: Sample[] = [];
      let emittedUpdate: TransferLoaded | undefined;
      let lastUpdate: TransferLoaded | undefined;
      const emit = (event: TransferLoaded, time: number) => {
        const { loaded, serverTotal: total } = event;
        // The clock was set back: earlier samples give no rate.
        if (time < (samples.at(-1)?.time ?? time)) samples = [];
        emittedUpdate = event;
        samples.push({ time, loaded });
        while (time - (samples[1]?.time ?? time) >= RATE_WINDOW_MS) samples.shift();
        const bytesPerSecond = rateOf(samples);
        const remainingMs = remainingTimeMs(total, loaded, bytesPerSecond);
        subscriber.next({ type: "progress", loaded, total, bytesPerSecond, remainingMs });
      };
      return transfer$.subscribe({
        next: (event) => {
          if (event.type !== "loaded") {
            if (event.type === "restart") {
              lastUpdate = emittedUpdate = undefined;
              samples = [];
            }
            const { loaded = 0, serverTotal: total } = lastUpdate ?? {};
            const unknownRate = { bytesPerSecond: 0, remainingMs: undefined };
            return subscriber.next({ ...event, loaded, total, ...unknownRate });
          }
          lastUpdate = event;
          const now = asyncScheduler.now();
          const elapsedMs = now - (samples.at(-1)?.time ?? -Infinity);
          // Negative where the clock was set back.
          if (elapsedMs >= intervalMs || elapsedMs < 0) emit(event, now);
        },
        error: (error) => subscriber.error(error),
        complete: () => {
          if (lastUpdate !== undefined) {
            if (lastUpdate.loaded !== emittedUpdate?.loaded) emit(lastUpdate, asyncScheduler.now());
            try {
              subscriber.next(complete(lastUpdate));
            } catch (error) {
              return subscriber.error(error);
            }
          }
          subscriber.complete();
        },
      });
    });
}

/** The rate between the first and the last sample, in bytes per second. */
function rateOf(samples: readonly Sample[]): number {
  const from = samples.at(0);
  const to = samples.at(-1);
  if (from === undefined || to === undefined || to.time <= from.time) return 0;
  return (to.loaded - from.loaded) / (to.time - from.time) * 1000;
}

function remainingTimeMs(
  total: number | undefined,
  loaded: number,
  bytesPerSecond: number,
): number | undefined {
  if (total === undefined) return undefined;
  if (loaded === total) return 0;
  return bytesPerSecond > 0 ? (total - loaded) / bytesPerSecond * 1000 : undefined;
}
