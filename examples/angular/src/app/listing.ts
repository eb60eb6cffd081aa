import type { TrainingRun } from "@hpcai/rx";
import { materialize, type Observable, scan, startWith } from "rxjs";

/** The state of a listing of training runs. */
export interface Listing {
  readonly status: "loading" | "complete" | "failed";
  /** The runs that were received so far. */
  readonly runs: readonly TrainingRun[];
  /** The reason of the failure. */
  readonly error?: unknown;
}

/** The initial state of a listing. */
export const LOADING: Listing = { status: "loading", runs: [] };

/** Collects runs as they are received. Never errors: a failure is a state and keeps the runs before it. */
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
