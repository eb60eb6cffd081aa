import type { TrainingRun } from "@hpcai/rx";
import { materialize, type Observable, scan, startWith } from "rxjs";

/** How far a listing of training runs is. */
export interface Listing {
  readonly status: "loading" | "complete" | "failed";
  /** What has arrived so far. */
  readonly runs: readonly TrainingRun[];
  /** Why it failed. */
  readonly error?: unknown;
}

/** A listing that has only begun. */
export const LOADING: Listing = { status: "loading", runs: [] };

/** Collects runs as they stream in; a failure keeps those that have arrived. Never errors. */
export function listing$(runs$: Observable<TrainingRun>): Observable<Listing> {
  return runs$.pipe(
    materialize(),
    scan((listing, event): Listing => {
      switch (event.kind) {
        case "N":
          return { status: "loading", runs: [...listing.runs, event.value] };
        case "C":
          return { status: "complete", runs: listing.runs };
        case "E":
          return { status: "failed", runs: listing.runs, error: event.error };
      }
    }, LOADING),
    startWith(LOADING),
  );
}
