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
import { InconsistentListingError } from "../errors.ts";
import type { CompletenessProof, Page } from "./completeness_proof.ts";
import { mergeMapInOrder } from "./merge_map_in_order.ts";

/** The query of one page. */
export interface PageQuery {
  readonly limit: number;
  readonly offset: number;
}

/** A listing: how to fetch a page, how to compare items, and the options that apply. */
export interface Listing<T> {
  /** Fetches one page. */
  readonly fetchPage: (query: PageQuery) => Observable<Page<T>>;
  /** Returns the id of an item. */
  readonly idOf: (item: T) => string;
  /** Returns a time that changes when an item moves to the front; constant if items do not move. */
  readonly timeOf: (item: T) => Date | null;
  /** The plural noun for the items, for messages. */
  readonly noun: string;
  readonly pageSize: number;
  readonly offset: number;
  readonly concurrency: number;
}

/** A page with its position in the listing. */
interface PositionedPage<T> extends Page<T> {
  /** How many items come before the page. */
  readonly start: number;
  /** Whether it has as many items as the server allows on a page, so that more may follow. */
  readonly isFull: boolean;
}

/** A range of offsets that pages have to cover: from `start` up to, not including, `end`. */
interface OffsetRange {
  readonly start: number;
  readonly end: number;
}

type FetchAt<T> = (start: number) => Observable<PositionedPage<T>>;

/** How many ranges are planned; the rest is read page by page, since a count may be any number. */
const MAX_RANGES = 1000;

/** How many pages a pass may have. A server may send new items endlessly. */
const MAX_PAGES = 10_000;

/** How many passes are made over a list that keeps changing. */
const MAX_PASSES = 64;

/**
 * Lists all items in the server's order, each once, in passes over all pages until the proof is
 * complete. docs/design/pagination.md explains it.
 *
 * @param proof A new proof for the listing's `offset` and `idOf`, which records the passes.
 * @returns Emits each item as it was first read and completes. Fails with an
 * {@linkcode InconsistentListingError}, after all items that were read, where no proof is possible.
 */
export function listPages$<T>(listing: Listing<T>, proof: CompletenessProof<T>): Observable<T> {
  return defer(() => runPass$(listing, proof)).pipe(
    repeat({
      delay: (passes) => {
        if (proof.isComplete()) return EMPTY;
        const contradiction = proof.contradiction();
        if (contradiction !== undefined) {
          const { counted, listed } = contradiction;
          return throwInconsistent$(
            listing,
            `the server counts ${counted}, but lists ${listed}`,
            "List them again later; if that fails too, report it to the operator of the API.",
          );
        }
        if (passes < MAX_PASSES) return of(true);
        return throwInconsistent$(
          listing,
          `they changed, or contradicted their count, during each of ${MAX_PASSES} passes`,
          "List them again when fewer change.",
        );
      },
    }),
  );
}

function throwInconsistent$<T>(
  { noun }: Listing<T>,
  reason: string,
  advice: string,
): Observable<never> {
  return throwError(() =>
    new InconsistentListingError(`Cannot list all ${noun}: ${reason}`, { advice })
  );
}

/** Runs one pass: the first page alone, then, once its items are emitted, the others concurrently. */
function runPass$<T>(listing: Listing<T>, proof: CompletenessProof<T>): Observable<T> {
  const { fetchPage, pageSize } = listing;
  let pages = 0;
  const fetchAt: FetchAt<T> = (start) =>
    pages++ < MAX_PAGES
      ? fetchPage({ limit: pageSize, offset: start }).pipe(map(({ items, cursor }) => ({
        items,
        cursor,
        start,
        isFull: items.length >= Math.min(pageSize, cursor.limit),
      })))
      : throwInconsistent$(
        listing,
        `the server sent ${MAX_PAGES} pages and no end`,
        "If there are that many, list them with a larger page size.",
      );
  return fetchAt(listing.offset).pipe(
    concatMap((first) => {
      const newItems = proof.startPass(first);
      let previous = first;
      const rest$ = from(planRanges(first)).pipe(
        mergeMapInOrder((range) => fetchRange$(range, fetchAt), listing.concurrency),
        takeWhile((next) => {
          if (proof.isNewToPass(next)) return true;
          // A page past the end has the overlap or nothing. A longer page without a new item means
          // that the list moved by a page, or that the server ignores the offset.
          const { length } = next.items;
          if (length > 1 || length === 1 && !isContiguous(previous, next, listing)) {
            proof.recordChange();
          }
          proof.recordCount(next);
          return false;
        }),
        concatMap((next) => {
          if (!isContiguous(previous, next, listing)) proof.recordChange();
          previous = next;
          return proof.addPage(next, endOf(next));
        }),
      );
      return concat(newItems, rest$);
    }),
  );
}

/** Whether the list did not change between two pages: the second begins with the end of the first. */
function isContiguous<T>(
  previous: PositionedPage<T>,
  next: PositionedPage<T>,
  { idOf, timeOf }: Listing<T>,
): boolean {
  const end = previous.items.at(-1);
  const begin = next.items.at(0);
  return end !== undefined && begin !== undefined &&
    next.start === endOf(previous) - 1 &&
    idOf(begin) === idOf(end) &&
    timeOf(begin)?.getTime() === timeOf(end)?.getTime() &&
    next.cursor.totalCount === previous.cursor.totalCount;
}

/**
 * Plans the ranges after the first page. Each is as long as that page, which may be shorter than the
 * limit, and begins with the last item of the range before. The last range has no end; it is the only
 * one where the total count is not plausible.
 */
function* planRanges<T>(first: PositionedPage<T>): Iterable<OffsetRange> {
  if (isLast(first)) return;
  const overlap = overlapAfter(first);
  const total = hasPlausibleTotal(first) ? first.cursor.totalCount : 0;
  const step = first.items.length - overlap;
  let start = endOf(first) - overlap;
  for (let range = 1; range < MAX_RANGES && start + step + overlap < total; range++) {
    yield { start, end: start + step + overlap };
    start += step;
  }
  yield { start, end: Infinity };
}

/** Fetches the pages of a range: one, or more where the server sends shorter pages. */
function fetchRange$<T>(
  { start, end }: OffsetRange,
  fetchAt: FetchAt<T>,
): Observable<PositionedPage<T>> {
  return fetchAt(start).pipe(
    expand((page) =>
      isLast(page) || endOf(page) >= end ? EMPTY : fetchAt(endOf(page) - overlapAfter(page))
    ),
  );
}

/** A page of one item has no overlap, since the next page would have no new item. */
function overlapAfter<T>({ items }: PositionedPage<T>): 0 | 1 {
  return items.length > 1 ? 1 : 0;
}

function endOf<T>({ start, items }: PositionedPage<T>): number {
  return start + items.length;
}

/** A full page never counts as the last one, since its count can be stale or capped. */
function isLast<T>(page: PositionedPage<T>): boolean {
  return page.items.length === 0 ||
    !page.isFull && endOf(page) === page.cursor.totalCount;
}

/** A count below the number of items read is not plausible; some servers send 0. */
function hasPlausibleTotal<T>(page: PositionedPage<T>): boolean {
  return page.cursor.totalCount >= endOf(page);
}
