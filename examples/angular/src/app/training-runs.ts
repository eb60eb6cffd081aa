import { computed, inject, Injectable, signal } from "@angular/core";
import { toObservable, toSignal } from "@angular/core/rxjs-interop";
import type { TrainingRun } from "@hpcai/rx";
import {
  BehaviorSubject,
  debounce,
  distinctUntilChanged,
  map,
  type Observable,
  shareReplay,
  switchMap,
  timer,
} from "rxjs";
import { type Listing, listing$, LOADING } from "./listing";
import { REST_CLIENT } from "./rest-client";

const DEBOUNCE_MS = 200;

interface SearchResult extends Listing {
  readonly query: string;
}

/** All training runs, as they stream in, and the search among them. */
@Injectable({ providedIn: "root" })
export class TrainingRuns {
  readonly #client = inject(REST_CLIENT);
  readonly #reloads = new BehaviorSubject<void>(undefined);

  /** What is searched for: a part of an id, a base model or an owner; or a checkpoint's path. */
  readonly query = signal("");
  /** The base model to show; empty for all. */
  readonly baseModel = signal("");
  /** Whether runs in a corrupted state are left out. */
  readonly hidesCorrupted = signal(false);

  readonly #all$ = this.#reloads.pipe(
    switchMap(() => listing$(this.#client.listAllTrainingRuns$())),
    shareReplay(1),
  );

  readonly #result = toSignal(
    toObservable(this.query).pipe(
      map((query) => query.trim()),
      debounce((query) => timer(query === "" ? 0 : DEBOUNCE_MS)),
      distinctUntilChanged(),
      // A new search unsubscribes from the one before, which aborts its request.
      switchMap((query) =>
        this.#search$(query).pipe(map((listing): SearchResult => ({ ...listing, query })))
      ),
    ),
    { initialValue: { ...LOADING, query: "" } },
  );

  /** How far the listing, or the look-up of a checkpoint's path, is. */
  readonly status = computed(() => this.#result().status);
  /** Why it failed. */
  readonly error = computed(() => this.#result().error);
  /** How many runs have arrived, before any filter. */
  readonly loadedCount = computed(() => this.#result().runs.length);
  /** The base models that there are, in alphabetical order. */
  readonly baseModels = computed(
    () => [...new Set(this.#result().runs.map(({ baseModel }) => baseModel))].sort(),
    { equal: (a, b) => a.join() === b.join() },
  );
  /** The runs that match search and filters, in the server's order. */
  readonly matches = computed(() => {
    const { runs, query } = this.#result();
    const baseModel = this.baseModel();
    const hidesCorrupted = this.hidesCorrupted();
    return runs.filter((run) =>
      (baseModel === "" || run.baseModel === baseModel) &&
      !(hidesCorrupted && run.corrupted) &&
      (isCheckpointPath(query) || hasText(run, query))
    );
  });

  /** Lists all runs anew, or looks the path up again. */
  reload(): void {
    this.#reloads.next();
  }

  #search$(query: string): Observable<Listing> {
    if (!isCheckpointPath(query)) return this.#all$;
    return this.#reloads.pipe(
      switchMap(() => listing$(this.#client.getTrainingRunByCheckpointPath$(query))),
    );
  }
}

function isCheckpointPath(query: string): boolean {
  return query.startsWith("hpcai://");
}

function hasText({ trainingRunId, baseModel, modelOwner }: TrainingRun, text: string): boolean {
  return `${trainingRunId} ${baseModel} ${modelOwner ?? ""}`.toLowerCase().includes(
    text.toLowerCase(),
  );
}
