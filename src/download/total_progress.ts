import { defer, map, mergeAll, type Observable, type OperatorFunction, tap } from "rxjs";
import { requireInteger } from "../arguments.ts";

/**
 * The fields of events that `totalProgress` sums up: those of `download$`, `saveArchive$` and
 * `extractArchive$`.
 */
export interface TransferEvent {
  /** The type of the event; `complete` ends a download. */
  readonly type: string;
  /** How many bytes have been received. */
  readonly loaded?: number | undefined;
  /** How many bytes the archive has, where that is known. */
  readonly total?: number | undefined;
  /** The rate of the download, in bytes per second. */
  readonly bytesPerSecond?: number | undefined;
}

/** The progress of several downloads in total. */
export interface TotalProgress {
  /** How many bytes have been received. */
  readonly loaded: number;
  /** How many bytes all archives have, or `undefined` while that of one is unknown. */
  readonly total: number | undefined;
  /** The sum of the rates of the downloads in progress, in bytes per second. */
  readonly bytesPerSecond: number;
  /** How many milliseconds are left at that rate, or `undefined` while that is unknown. */
  readonly remainingMs: number | undefined;
  /** How many downloads are complete. */
  readonly completed: number;
  /** How many downloads there are, including those that have not begun. */
  readonly count: number;
}

/** The progress of one of the downloads. */
interface DownloadState {
  loaded: number;
  total: number | undefined;
  bytesPerSecond: number;
  isComplete: boolean;
}

const DEFAULT_CONCURRENCY = 4;

/**
 * Runs several downloads and emits their total progress.
 *
 * @param concurrency How many run concurrently. Default 4.
 * @returns An operator for the Observables of `download$`, `saveArchive$` or `extractArchive$`. Emits
 * whenever one of them emits, and completes when all have. `total` and `remainingMs` are known once the
 * last one has begun. Fails as soon as one fails. To continue with the others, catch the error of each
 * download; a failed one does not count as `completed`.
 *
 * @example
 * ```ts
 * import { RestClient, totalProgress } from "@hpcai/rx";
 * import { map } from "rxjs";
 *
 * const client = new RestClient(); // the key is read from HPCAI_API_KEY
 *
 * await client.listAllCheckpoints$().pipe(
 *   map((checkpoint) => client.download$(checkpoint, { to: new WritableStream() })),
 *   totalProgress(),
 * ).forEach(({ completed, count, loaded }) => {
 *   console.log(`${completed} of ${count} archives, ${loaded} bytes`);
 * });
 * ```
 */
export function totalProgress(
  concurrency: number = DEFAULT_CONCURRENCY,
): OperatorFunction<Observable<TransferEvent>, TotalProgress> {
  return (downloads$) =>
    defer(() => {
      requireInteger("concurrency", concurrency, 1);
      const states: DownloadState[] = [];
      return downloads$.pipe(
        map((download$) => {
          const state: DownloadState = {
            loaded: 0,
            total: undefined,
            bytesPerSecond: 0,
            isComplete: false,
          };
          states.push(state);
          const finalize = () => state.bytesPerSecond = 0;
          return download$.pipe(tap({ next: (event) => update(state, event), finalize }));
        }),
        mergeAll(concurrency),
        map(() => totalOf(states)),
      );
    });
}

function update(state: DownloadState, event: TransferEvent): void {
  const { type, loaded = state.loaded, total = state.total, bytesPerSecond = 0 } = event;
  // Other events may follow it, as `deleted` follows a backup.
  const isComplete = state.isComplete || type === "complete";
  Object.assign(state, { loaded, total: isComplete ? loaded : total, bytesPerSecond, isComplete });
}

function totalOf(states: readonly DownloadState[]): TotalProgress {
  const sum = (of: (state: DownloadState) => number) =>
    states.reduce((sum, state) => sum + of(state), 0);
  const loaded = sum((state) => state.loaded);
  // NaN as long as one of them is unknown.
  const size = sum((state) => state.total ?? NaN);
  const bytesPerSecond = sum((state) => state.bytesPerSecond);
  const remainingMs = loaded === size ? 0 : (size - loaded) / bytesPerSecond * 1000;
  return {
    loaded,
    total: Number.isNaN(size) ? undefined : size,
    bytesPerSecond,
    // Negative where the size describes other bytes, as with a hidden content coding.
    remainingMs: remainingMs >= 0 && remainingMs < Infinity ? remainingMs : undefined,
    completed: states.filter((state) => state.isComplete).length,
    count: states.length,
  };
}
