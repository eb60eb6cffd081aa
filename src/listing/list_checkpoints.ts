import { defer, map, type Observable, of, toArray } from "rxjs";
import type { CheckpointsListResponse } from "../types.ts";
import type { CheckpointsPage } from "../wire.ts";
import { checkpointKey } from "./checkpoint_key.ts";
import { CompletenessProof } from "./completeness_proof.ts";
import { listPages$, type PageQuery } from "./list_pages.ts";

/** The page size where the server sends no limit: the largest that Tinker accepts. */
const DEFAULT_PAGE_SIZE = 100;
const CONCURRENCY = 4;

/**
 * Completes a listing of checkpoints whose first page has a cursor; implements
 * `RestClient.listCheckpoints$`.
 *
 * @param first The first page, which was requested without a query.
 * @param fetchPage Fetches one page.
 * @returns Emits all checkpoints once, in the order of the last pass, and completes.
 */
export function completeCheckpoints$(
  first: CheckpointsPage,
  fetchPage: (query: PageQuery) => Observable<CheckpointsPage>,
): Observable<CheckpointsListResponse> {
  return defer(() => {
    const proof = new CompletenessProof(0, checkpointKey);
    let firstPage: CheckpointsPage | undefined = first;
    const page$ = (query: PageQuery) => {
      const response$ = firstPage === undefined ? fetchPage(query) : of(firstPage);
      firstPage = undefined;
      return response$;
    };
    return listPages$({
      fetchPage: (query) =>
        page$(query).pipe(map(({ checkpoints, cursor }) => ({
          items: checkpoints,
          cursor: cursor ?? { ...query, totalCount: 0 },
        }))),
      idOf: checkpointKey,
      timeOf: ({ time }) => time,
      noun: "checkpoints",
      pageSize: first.cursor?.limit || DEFAULT_PAGE_SIZE,
      offset: 0,
      concurrency: CONCURRENCY,
    }, proof).pipe(
      toArray(),
      map((found) => {
        const byKey = new Map(found.map((checkpoint) => [checkpointKey(checkpoint), checkpoint]));
        const keys = new Set([...proof.lastIds, ...byKey.keys()]);
        return { checkpoints: [...keys].flatMap((key) => byKey.get(key) ?? []) };
      }),
    );
  });
}
