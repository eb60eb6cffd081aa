import { asyncScheduler, Observable, type OperatorFunction } from "rxjs";
import type { DownloadEvent } from "./download_event.ts";

/** The rate is that of the last seconds, so that it follows the network but does not flicker. */
const RATE_WINDOW_MS = 5_000;

/** How many bytes had arrived when. */
interface Sample {
  readonly time: number;
  readonly loaded: number;
}

/**
 * Turns counts of bytes into download events: progress at most every `intervalMs`, the first and
 * the last count always, and at the end one `complete`.
 *
 * @param total How many bytes there will be, if known.
 * @param intervalMs The least time between two progress events, in milliseconds.
 * @param takeBody Gives the `body` of the `complete` event.
 */
export function toDownloadEvents(
  total: number | undefined,
  intervalMs: number,
  takeBody: () => Uint8Array<ArrayBuffer> | undefined,
): OperatorFunction<number, DownloadEvent> {
  return (loaded$) =>
    new Observable((subscriber) => {
      const samples: Sample[] = [];
      let last: Sample = { time: -Infinity, loaded: -1 };
      let loaded = 0;
      const emit = (time: number) => {
        last = { time, loaded };
        samples.push(last);
        while (time - (samples[1]?.time ?? time) >= RATE_WINDOW_MS) samples.shift();
        const bytesPerSecond = rate(samples[0] ?? last, last);
        subscriber.next({
          type: "progress",
          loaded,
          total,
          bytesPerSecond,
          remainingMs: remaining(total, loaded, bytesPerSecond),
        });
      };
      return loaded$.subscribe({
        next: (count) => {
          loaded = count;
          const now = asyncScheduler.now();
          if (now - last.time >= intervalMs) emit(now);
        },
        error: (error) => subscriber.error(error),
        complete: () => {
          if (loaded !== last.loaded) emit(asyncScheduler.now());
          subscriber.next({ type: "complete", loaded, body: takeBody() });
          subscriber.complete();
        },
      });
    });
}

/** The rate between two samples, in bytes a second. */
function rate(from: Sample, to: Sample): number {
  const elapsedMs = to.time - from.time;
  return elapsedMs > 0 ? (to.loaded - from.loaded) / elapsedMs * 1000 : 0;
}

function remaining(
  total: number | undefined,
  loaded: number,
  bytesPerSecond: number,
): number | undefined {
  if (total === undefined) return undefined;
  if (loaded === total) return 0;
  return bytesPerSecond > 0 ? (total - loaded) / bytesPerSecond * 1000 : undefined;
}
