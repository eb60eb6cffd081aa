import { defer, map, type Observable, of, toArray } from "rxjs";
import type { CheckpointsListResponse } from "../types.ts";
import type { CheckpointsPage } from "../wire.ts";
import { checkpointKey } from "./checkpoint_key.ts";
import { listPages$, type PageQuery } from "./list_pages.ts";
import { Sightings } from "./sightings.ts";

/** What to ask for where the server does not say how many a page has. It is the most that tinker takes. */
const DEFAULT_PAGE_SIZE = 100;
const CONCURRENCY = 4;

/**
 * Completes a listing of checkpoints whose first page has a cursor, as
 * `RestClient.listCheckpoints$` promises.
 *
 * @param first The first page, as it came without a query.
 * @param fetchPage Asks for one page.
 * @returns Emits all checkpoints once, in the order of the last pass, and completes.
 */
export function completeCheckpoints$(
  first: CheckpointsPage,
  fetchPage: (query: PageQuery) => Observable<CheckpointsPage>,
): Observable<CheckpointsListResponse> {
  return defer(() => {
    const sightings = new Sightings(0, checkpointKey);
    let given: CheckpointsPage | undefined = first;
    const take$ = (query: PageQuery) => {
      const page$ = given === undefined ? fetchPage(query) : of(given);
      given = undefined;
      return page$;
    };
    return listPages$({
      fetchPage: (query) =>
        take$(query).pipe(map(({ checkpoints, cursor }) => ({
          items: checkpoints,
          cursor: cursor ?? { ...query, totalCount: 0 },
        }))),
      idOf: checkpointKey,
      timeOf: ({ time }) => time,
      items: "checkpoints",
      pageSize: first.cursor?.limit || DEFAULT_PAGE_SIZE,
      offset: 0,
      concurrency: CONCURRENCY,
    }, sightings).pipe(
      toArray(),
      map((found) => {
        const byKey = new Map(found.map((checkpoint) => [checkpointKey(checkpoint), checkpoint]));
        const keys = new Set([...sightings.lastIds, ...byKey.keys()]);
        return { checkpoints: [...keys].flatMap((key) => byKey.get(key) ?? []) };
      }),
    );
  });
}
