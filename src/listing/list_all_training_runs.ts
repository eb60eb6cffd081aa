import { defer, map, type Observable } from "rxjs";
import { requireInteger, requireOptions } from "../arguments.ts";
import type { TrainingRun, TrainingRunsResponse } from "../types.ts";
import { CompletenessProof } from "./completeness_proof.ts";
import { listPages$, type PageQuery } from "./list_pages.ts";

/** Options of listing all training runs. */
export interface ListAllTrainingRunsOptions {
  /** How many runs to request with each page; servers cap it. Default 100. */
  readonly pageSize?: number | undefined;
  /** How many runs to skip at the beginning. Default 0. */
  readonly offset?: number | undefined;
  /** How many requests may be in flight after the first. Default 4. */
  readonly concurrency?: number | undefined;
}

/** Fetches one page. */
export type FetchPage = (query: PageQuery) => Observable<TrainingRunsResponse>;

const DEFAULT_PAGE_SIZE = 100;
const DEFAULT_CONCURRENCY = 4;

/** Lists every training run, page by page; implements `RestClient.listAllTrainingRuns$`. */
export function listAllTrainingRuns$(
  fetchPage: FetchPage,
  options: ListAllTrainingRunsOptions = {},
): Observable<TrainingRun> {
  return defer(() => {
    requireOptions("options", options);
    const { pageSize = DEFAULT_PAGE_SIZE, offset = 0, concurrency = DEFAULT_CONCURRENCY } = options;
    requireInteger("pageSize", pageSize, 1);
    requireInteger("offset", offset, 0);
    requireInteger("concurrency", concurrency, 1);
    const idOf = ({ trainingRunId }: TrainingRun) => trainingRunId;
    return listPages$({
      fetchPage: (query) =>
        fetchPage(query).pipe(map(({ trainingRuns, cursor }) => ({ items: trainingRuns, cursor }))),
      idOf,
      timeOf: ({ lastRequestTime }) => lastRequestTime,
      noun: "training runs",
      pageSize,
      offset,
      concurrency,
    }, new CompletenessProof(offset, idOf));
  });
}
