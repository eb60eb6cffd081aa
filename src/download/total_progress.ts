import { defer, map, mergeAll, type Observable, type OperatorFunction, tap } from "rxjs";
import { requireInteger } from "../arguments.ts";

/** What counts of a download's event; those of `download$`, `saveArchive$`, `extractArchive$` fit. */
export interface TransferEvent {
  /** `preparing` and `complete` have a meaning of their own. */
  readonly type: string;
  /** How many bytes are there. */
  readonly loaded?: number | undefined;
  /** How many bytes there will be, where that is known. */
  readonly total?: number | undefined;
  /** The download's own rate, in bytes a second. */
  readonly bytesPerSecond?: number | undefined;
}

/** How far several downloads are together. */
export interface TotalProgress {
  /** How many bytes are there. */
  readonly loaded: number;
  /** How many bytes there will be, or `undefined` while one of the downloads does not know. */
  readonly total: number | undefined;
  /** The rates of those under way, added up, in bytes a second. */
  readonly bytesPerSecond: number;
  /** How many milliseconds are left at that rate, or `undefined` while that cannot be said. */
  readonly remainingMs: number | undefined;
  /** How many downloads are complete. */
  readonly completed: number;
  /** How many downloads there are, those that have not begun among them. */
  readonly count: number;
}

/** How far one of the downloads is. */
interface Part {
  loaded: number;
  total: number | undefined;
  bytesPerSecond: number;
  isComplete: boolean;
}

const DEFAULT_CONCURRENCY = 4;

/**
 * An operator that runs several downloads and tells how far they are together.
 *
 * @param concurrency How many run at once. Default 4.
 * @returns Takes the Observables of `download$`, `saveArchive$` or `extractArchive$`. Emits whenever
 * one of them emits, and completes when all have. `total` and `remainingMs` are known once the last
 * one has begun. Fails as soon as one fails; one that need not stop the others has to catch its error,
 * and is then not among the `completed`.
 *
 * @example
 * ```ts
 * import { RestClient, totalProgress } from "@hpcai/rx";
 * import { FakeHpcai } from "@hpcai/rx/testing";
 * import { map } from "rxjs";
 *
 * const fake = new FakeHpcai({ trainingRuns: 3 });
 * const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch });
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
      const parts: Part[] = [];
      return downloads$.pipe(
        map((download$) => {
          const part: Part = { loaded: 0, total: undefined, bytesPerSecond: 0, isComplete: false };
          parts.push(part);
          const finalize = () => part.bytesPerSecond = 0;
          return download$.pipe(tap({ next: (event) => update(part, event), finalize }));
        }),
        mergeAll(concurrency),
        map(() => together(parts)),
      );
    });
}

function update(part: Part, event: TransferEvent): void {
  const { type, loaded = part.loaded, total = part.total, bytesPerSecond = 0 } = event;
  // Something may follow it, as the deletion follows a backup.
  const isComplete = part.isComplete || type === "complete";
  Object.assign(part, { loaded, total: isComplete ? loaded : total, bytesPerSecond, isComplete });
}

function together(parts: readonly Part[]): TotalProgress {
  const sum = (of: (part: Part) => number) => parts.reduce((sum, part) => sum + of(part), 0);
  const loaded = sum((part) => part.loaded);
  // Not a number as long as one of them is unknown.
  const size = sum((part) => part.total ?? NaN);
  const bytesPerSecond = sum((part) => part.bytesPerSecond);
  const remainingMs = loaded === size ? 0 : (size - loaded) / bytesPerSecond * 1000;
  return {
    loaded,
    total: Number.isNaN(size) ? undefined : size,
    bytesPerSecond,
    // Less than nothing where the size was that of other bytes, as with a hidden content coding.
    remainingMs: remainingMs >= 0 && remainingMs < Infinity ? remainingMs : undefined,
    completed: parts.filter((part) => part.isComplete).length,
    count: parts.length,
  };
}
