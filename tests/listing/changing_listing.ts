import { defer, type Observable, of } from "rxjs";
import type { FetchPage } from "../../src/listing/list_all_training_runs.ts";
import type { TrainingRun, TrainingRunsResponse } from "../../src/types.ts";

/** A change to the list; `at` picks the run, as a fraction of the list's length. */
export interface Change {
  readonly type: "insert" | "delete" | "move";
  readonly at: number;
}

/**
 * A server's list of runs, newest first, that changes between requests. A move to the front leaves
 * the run's timestamp as it is, which is harder on a client than a real server.
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

  apply({ type, at }: Change): void {
    const index = Math.min(Math.floor(at * this.#ids.length), this.#ids.length - 1);
    const id = this.#ids[index];
    if (type === "insert") this.#ids.unshift(`new-${this.#inserted++}`);
    else if (id !== undefined) {
      this.#ids.splice(index, 1);
      if (type === "move") this.#ids.unshift(id);
      else this.#deletedIds.add(id);
    }
  }

  /** Answers with a part of the list as it is now. */
  page(limit: number, offset: number, cap = Infinity): TrainingRunsResponse {
    const served = Math.min(limit, cap);
    return {
      trainingRuns: this.#ids.slice(offset, offset + served).map(trainingRun),
      cursor: { offset, limit: served, totalCount: this.#ids.length },
    };
  }

  /** Answers each request at once, after `before` has had its turn. */
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
