import {
  asyncScheduler,
  defer,
  map,
  mergeAll,
  type Observable,
  type OperatorFunction,
  tap,
} from "rxjs";
import { requireInteger } from "../arguments.ts";
import { rateMeter, remaining } from "./progress.ts";

/** What counts of a download's event; those of `download$`, `saveArchive$`, `extractArchive$` fit. */
export interface CountedEvent {
  /** `preparing` and `complete` have a meaning of their own. */
  readonly type: string;
  /** How many bytes are there. */
  readonly loaded?: number | undefined;
  /** How many bytes there will be, where that is known. */
  readonly total?: number | undefined;
}

/** How far several downloads are together. */
export interface TotalProgress {
  /** How many bytes are there. */
  readonly loaded: number;
  /** How many bytes there will be, or `undefined` while one of the downloads does not know. */
  readonly total: number | undefined;
  /** The rate of all together over the last seconds, in bytes a second; 0 at the start. */
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
  /** Where it began: what an earlier download left has no part in the rate. */
  begin: number | undefined;
  loaded: number;
  total: number | undefined;
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
): OperatorFunction<Observable<CountedEvent>, TotalProgress> {
  return (downloads$) =>
    defer(() => {
      requireInteger("concurrency", concurrency, 1);
      const parts: Part[] = [];
      const rateAt = rateMeter();
      return downloads$.pipe(
        map((download$) => {
          const part: Part = { begin: undefined, loaded: 0, total: undefined, isComplete: false };
          parts.push(part);
          return download$.pipe(tap((event) => update(part, event)));
        }),
        mergeAll(concurrency),
        map((): TotalProgress => {
          const loaded = sum(parts, (part) => part.loaded);
          const isKnown = parts.every((part) => part.total !== undefined);
          const total = isKnown ? sum(parts, (part) => part.total ?? 0) : undefined;
          const received = loaded - sum(parts, (part) => part.begin ?? 0);
          const bytesPerSecond = rateAt(asyncScheduler.now(), received);
          return {
            loaded,
            total,
            bytesPerSecond,
            remainingMs: remaining(total, loaded, bytesPerSecond),
            completed: parts.filter((part) => part.isComplete).length,
            count: parts.length,
          };
        }),
      );
    });
}

function update(
  part: Part,
  { type, loaded = part.loaded, total = part.total }: CountedEvent,
): void {
  if (type === "preparing") return;
  part.isComplete ||= type === "complete";
  part.begin ??= loaded;
  part.loaded = loaded;
  part.total = part.isComplete ? loaded : total;
}

function sum(parts: readonly Part[], of: (part: Part) => number): number {
  return parts.reduce((sum, part) => sum + of(part), 0);
}
