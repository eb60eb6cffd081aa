import { defer, type Observable, of } from "rxjs";
import type { FetchPage } from "../../src/listing/list_all_training_runs.ts";
import type { TrainingRun, TrainingRunsResponse } from "../../src/types.ts";

/** A change of the list; `at` selects the run, as a fraction of the list's length. */
export interface ListChange {
  readonly type: "insert" | "delete" | "move";
  readonly at: number;
}

/**
 * A server's list of runs, newest first, that changes between requests. A move to the front keeps
 * the run's timestamp, which is harder to detect than the move of a real server.
 */
export class ChangingListing {
  readonly requests: { readonly limit: number; readonly offset: number }[] = [];
  readonly #initialIds: ReadonlySet<string>;
  readonly #deletedIds = new Set<string>();
  #ids: string[];
  #inserted = 0;

  constructor(length: number) {
    this.#ids = Array.from({ length }, (_, index) => `run-${index}`);
    this.#initialIds = new Set(this.#ids);
  }

  /** The runs that existed from the beginning until now. */
  get idsThroughout(): string[] {
    return [...this.#initialIds].filter((id) => !this.#deletedIds.has(id)).sort();
  }

  apply({ type, at }: ListChange): void {
    const index = Math.min(Math.floor(at * this.#ids.length), this.#ids.length - 1);
    const id = this.#ids[index];
    if (type === "insert") this.#ids.unshift(`new-${this.#inserted++}`);
    else if (id !== undefined) {
      this.#ids.splice(index, 1);
      if (type === "move") this.#ids.unshift(id);
      else this.#deletedIds.add(id);
    }
  }

  /** Returns a page of the current list. */
  page(limit: number, offset: number, cap = Infinity): TrainingRunsResponse {
    const length = Math.min(limit, cap);
    return {
      trainingRuns: this.#ids.slice(offset, offset + length).map(trainingRun),
      cursor: { offset, limit: length, totalCount: this.#ids.length },
    };
  }

  /** Returns a function that calls `before` and then responds synchronously. */
  fetchPage(cap = Infinity, before: () => void = () => {}): FetchPage {
    return (query): Observable<TrainingRunsResponse> =>
      defer(() => {
        this.requests.push(query);
        before();
        return of(this.page(query.limit, query.offset, cap));
      });
  }
}

export function trainingRun(trainingRunId: string): TrainingRun {
  return {
    trainingRunId,
    baseModel: "Qwen/Qwen3-8B",
    modelOwner: "owner",
    isLora: true,
    corrupted: false,
    loraRank: 16,
    lastRequestTime: new Date("2026-01-07T10:19:18Z"),
    lastCheckpoint: null,
    lastSamplerCheckpoint: null,
  };
}
