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

/** Lists all training runs page by page, and searches them. */
@Injectable({ providedIn: "root" })
export class TrainingRuns {
  readonly #client = inject(REST_CLIENT);
  readonly #reloads = new BehaviorSubject<void>(undefined);

  /** The search: a part of an id, a base model or an owner, or a checkpoint path. */
  readonly query = signal("");
  /** The base model to show; empty for all. */
  readonly baseModel = signal("");
  /** Whether runs in a corrupted state are hidden. */
  readonly isCorruptedHidden = signal(false);

  readonly #all$ = this.#reloads.pipe(
    switchMap(() => listing$(this.#client.listAllTrainingRuns$())),
    shareReplay(1),
  );

  readonly #result = toSignal(
    toObservable(this.query).pipe(
      map((query) => query.trim()),
      debounce((query) => timer(query === "" ? 0 : DEBOUNCE_MS)),
      distinctUntilChanged(),
      // A new search unsubscribes from the previous one, which aborts its request.
      switchMap((query) =>
        this.#search$(query).pipe(map((listing): SearchResult => ({ ...listing, query })))
      ),
    ),
    { initialValue: { ...LOADING, query: "" } },
  );

  /** The state of the listing, or of the request for the run of a checkpoint path. */
  readonly status = computed(() => this.#result().status);
  /** The reason of the failure. */
  readonly error = computed(() => this.#result().error);
  /** The number of received runs, before any filter. */
  readonly loadedCount = computed(() => this.#result().runs.length);
  /** The base models of the runs in alphabetical order. */
  readonly baseModels = computed(
    () => [...new Set(this.#result().runs.map(({ baseModel }) => baseModel))].sort(),
    { equal: (a, b) => a.join() === b.join() },
  );
  /** The runs that match search and filters, in the order of the server. */
  readonly matches = computed(() => {
    const { runs, query } = this.#result();
    const baseModel = this.baseModel();
    const isCorruptedHidden = this.isCorruptedHidden();
    return runs.filter((run) =>
      (baseModel === "" || run.baseModel === baseModel) &&
      !(isCorruptedHidden && run.corrupted) &&
      (isCheckpointPath(query) || hasText(run, query))
    );
  });

  /** Repeats the listing, or the request for the run of a checkpoint path. */
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
