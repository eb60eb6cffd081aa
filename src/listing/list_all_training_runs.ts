import { defer, map, type Observable } from "rxjs";
import { requireInteger, requireOptions } from "../arguments.ts";
import type { TrainingRun, TrainingRunsResponse } from "../types.ts";
import { listPages$, type PageQuery } from "./list_pages.ts";
import { Sightings } from "./sightings.ts";

/** How to list all training runs. */
export interface ListAllTrainingRunsOptions {
  /** How many runs to ask for with each request; servers cap it. Default 100. */
  readonly pageSize?: number | undefined;
  /** How many runs to leave out at the beginning. Default 0. */
  readonly offset?: number | undefined;
  /** How many requests may be under way at once, after the first. Default 4. */
  readonly concurrency?: number | undefined;
}

/** Asks for one page. */
export type FetchPage = (query: PageQuery) => Observable<TrainingRunsResponse>;

const DEFAULT_PAGE_SIZE = 100;
const DEFAULT_CONCURRENCY = 4;

/** Lists all training runs, each once; what `RestClient.listAllTrainingRuns$` promises. */
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
      items: "training runs",
      pageSize,
      offset,
      concurrency,
    }, new Sightings(offset, idOf));
  });
}
