import {
  concat,
  concatMap,
  defer,
  EMPTY,
  expand,
  from,
  map,
  type Observable,
  of,
  repeat,
  takeWhile,
  throwError,
} from "rxjs";
import { requireInteger, requireOptions } from "../arguments.ts";
import { InconsistentListingError } from "../errors.ts";
import type { TrainingRun, TrainingRunsResponse } from "../types.ts";
import { mergeMapInOrder } from "./merge_map_in_order.ts";
import { Sightings } from "./sightings.ts";

/** How to list all training runs. */
export interface ListAllOptions {
  /** How many runs to ask for with each request; servers cap it. Default 100. */
  readonly pageSize?: number | undefined;
  /** How many runs to leave out at the beginning. Default 0. */
  readonly offset?: number | undefined;
  /** How many requests may be under way at once, after the first. Default 4. */
  readonly concurrency?: number | undefined;
}

/** Asks for one page. */
export type FetchPage = (
  query: { readonly limit: number; readonly offset: number },
) => Observable<TrainingRunsResponse>;

/** A page, and how many runs come before it. */
interface Page {
  readonly start: number;
  readonly page: TrainingRunsResponse;
}

/** A part of a listing that pages have to cover: from `start` up to, not including, `end`. */
interface Span {
  readonly start: number;
  readonly end: number;
}

const DEFAULT_PAGE_SIZE = 100;
const DEFAULT_CONCURRENCY = 4;

/** What comes after so many planned pages is read one by one, since a count may be any number. */
const MAX_SPANS = 1000;

/** After so many passes over runs that never stand still, a proof is given up. */
const MAX_PASSES = 64;

/**
 * Lists all training runs in the server's order, each once, in passes over all pages until it is
 * proven that none was missed; what `RestClient.listAllTrainingRuns$` promises.
 */
export function listAllTrainingRuns$(
  fetchPage: FetchPage,
  options: ListAllOptions = {},
): Observable<TrainingRun> {
  return defer(() => {
    requireOptions("options", options);
    const { pageSize = DEFAULT_PAGE_SIZE, offset = 0, concurrency = DEFAULT_CONCURRENCY } = options;
    requireInteger("pageSize", pageSize, 1);
    requireInteger("offset", offset, 0);
    requireInteger("concurrency", concurrency, 1);
    const sightings = new Sightings(offset);
    const fetchAt = (start: number): Observable<Page> =>
      fetchPage({ limit: pageSize, offset: start }).pipe(map((page) => ({ start, page })));
    return onePass$(fetchAt, offset, concurrency, sightings).pipe(
      repeat({
        delay: (passes) =>
          sightings.isProven()
            ? EMPTY
            : passes < MAX_PASSES
            ? of(true)
            : throwError(() => gaveUp()),
      }),
    );
  });
}

function gaveUp(): InconsistentListingError {
  return new InconsistentListingError(
    `The training runs changed during each of ${MAX_PASSES} passes over them. All that were seen ` +
      "have been emitted, but whether that is all cannot be told; list them again when fewer change",
  );
}

/** One pass: the first page, then, once that is emitted, the others, several at a time. */
function onePass$(
  fetchAt: (start: number) => Observable<Page>,
  offset: number,
  concurrency: number,
  sightings: Sightings,
): Observable<TrainingRun> {
  return fetchAt(offset).pipe(
    concatMap((first) => {
      const newRuns = sightings.begin(first.page);
      let previous = first;
      const rest$ = from(spansAfter(first)).pipe(
        mergeMapInOrder((span) => cover$(span, fetchAt), concurrency),
        takeWhile((next) => {
          if (sightings.isNewToPass(next.page)) return true;
          // At the end there is the overlap or nothing. Else the list has shifted by a page, or the
          // server does not heed the offset.
          const { length } = next.page.trainingRuns;
          if (length > 1 || length === 1 && !isContinued(previous, next)) sightings.disturb();
          return false;
        }),
        concatMap((next) => {
          if (!isContinued(previous, next)) sightings.disturb();
          previous = next;
          return sightings.add(next.page);
        }),
      );
      return concat(newRuns, rest$);
    }),
  );
}

/** Whether nothing can have moved between two pages: the second begins with the end of the first. */
function isContinued(previous: Page, next: Page): boolean {
  const end = previous.page.trainingRuns.at(-1);
  const begin = next.page.trainingRuns.at(0);
  return next.start === endOf(previous) - 1 &&
    begin?.trainingRunId === end?.trainingRunId &&
    begin?.lastRequestTime.getTime() === end?.lastRequestTime.getTime() &&
    next.page.cursor.totalCount === previous.page.cursor.totalCount;
}

/**
 * Plans the pages after the first one, as long as that one was, whatever was asked for, and each
 * beginning with the last run of the one before. The end of the last one is left open, and where
 * the count of all runs is not to be trusted it is the only one.
 */
function* spansAfter(first: Page): Iterable<Span> {
  if (isLast(first)) return;
  const length = first.page.trainingRuns.length;
  const overlap = overlapAfter(first);
  const total = hasTrustedTotal(first) ? first.page.cursor.totalCount : 0;
  const step = length - overlap;
  let start = endOf(first) - overlap;
  for (let span = 1; span < MAX_SPANS && start + step + overlap < total; span++) {
    yield { start, end: start + step + overlap };
    start += step;
  }
  yield { start, end: Infinity };
}

/** Fetches the pages that cover a span: one, or more where the server gives fewer runs than that. */
function cover$({ start, end }: Span, fetchAt: (start: number) => Observable<Page>) {
  return fetchAt(start).pipe(
    expand((page) =>
      isLast(page) || endOf(page) >= end ? EMPTY : fetchAt(endOf(page) - overlapAfter(page))
    ),
  );
}

/** A page of one run leaves no room for an overlap, since the next one would bring nothing new. */
function overlapAfter({ page }: Page): 0 | 1 {
  return page.trainingRuns.length > 1 ? 1 : 0;
}

function endOf({ start, page }: Page): number {
  return start + page.trainingRuns.length;
}

function isLast(page: Page): boolean {
  return page.page.trainingRuns.length === 0 ||
    hasTrustedTotal(page) && endOf(page) === page.page.cursor.totalCount;
}

/** A count that is less than what has been seen is none; some servers say 0. */
function hasTrustedTotal(page: Page): boolean {
  return page.page.cursor.totalCount >= endOf(page);
}
