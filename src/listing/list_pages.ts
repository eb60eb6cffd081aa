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
import { mergeMapInOrder } from "./merge_map_in_order.ts";
import type { Page, Sightings } from "./sightings.ts";

/** Which page to ask for. */
export interface PageQuery {
  readonly limit: number;
  readonly offset: number;
}

/** What to list, and how. */
export interface Listing<T> {
  /** Asks for one page. */
  readonly fetchPage: (query: PageQuery) => Observable<Page<T>>;
  /** What identifies an item. */
  readonly idOf: (item: T) => string;
  /** The time that changes where an item moves to the front, if it can move. */
  readonly timeOf: (item: T) => Date | null;
  /** What is listed, for messages, in the plural. */
  readonly items: string;
  readonly pageSize: number;
  readonly offset: number;
  readonly concurrency: number;
}

/** A page and where it is. */
interface PlacedPage<T> extends Page<T> {
  /** How many items come before it. */
  readonly start: number;
  /** Whether it has as many items as the server lets a page have, so that more may follow. */
  readonly isFull: boolean;
}

/** A part of a listing that pages have to cover: from `start` up to, not including, `end`. */
interface Span {
  readonly start: number;
  readonly end: number;
}

type FetchAt<T> = (start: number) => Observable<PlacedPage<T>>;

/** What comes after so many planned pages is read one by one, since a count may be any number. */
const MAX_SPANS = 1000;

/** A pass of more pages than this is ended: a server may send new items without end. */
const MAX_PAGES = 10_000;

/** After so many passes over items that never stand still, a proof is given up. */
const MAX_PASSES = 64;

/**
 * Lists all items in the server's order, each once, in passes over all pages until it is proven that
 * none was missed. docs/design/pagination.md says how.
 *
 * @param sightings Fresh ones of the listing's `offset` and `idOf`, in which the passes are noted.
 * @returns Emits each item as it was first seen and completes. Fails with an
 * {@linkcode InconsistentListingError}, after all that was seen, where no proof can be had.
 */
export function listPages$<T>(listing: Listing<T>, sightings: Sightings<T>): Observable<T> {
  const { items } = listing;
  return defer(() => onePass$(listing, sightings)).pipe(
    repeat({
      delay: (passes) => {
        if (sightings.isProven()) return EMPTY;
        const contradiction = sightings.contradiction();
        if (contradiction !== undefined) {
          const { counted, listed } = contradiction;
          return inconsistent$(
            items,
            `the server counts ${counted}, but lists ${listed}`,
            "List them again later; if that fails too, report it to the operator of the API.",
          );
        }
        if (passes < MAX_PASSES) return of(true);
        return inconsistent$(
          items,
          `they changed, or contradicted their count, during each of ${MAX_PASSES} passes`,
          "List them again when fewer change.",
        );
      },
    }),
  );
}

function inconsistent$(items: string, reason: string, advice: string): Observable<never> {
  return throwError(() =>
    new InconsistentListingError(`Cannot list all ${items}: ${reason}`, { advice })
  );
}

/** One pass: the first page, then, once that is emitted, the others, several at a time. */
function onePass$<T>(listing: Listing<T>, sightings: Sightings<T>): Observable<T> {
  const { fetchPage, pageSize, items } = listing;
  let pages = 0;
  const fetchAt: FetchAt<T> = (start) =>
    pages++ < MAX_PAGES
      ? fetchPage({ limit: pageSize, offset: start }).pipe(map(({ items, cursor }) => ({
        items,
        cursor,
        start,
        isFull: items.length >= Math.min(pageSize, cursor.limit),
      })))
      : inconsistent$(
        items,
        `the server sent ${MAX_PAGES} pages and no end`,
        "If there are that many, ask for larger pages.",
      );
  return fetchAt(listing.offset).pipe(
    concatMap((first) => {
      const newItems = sightings.begin(first);
      let previous = first;
      const rest$ = from(spansAfter(first)).pipe(
        mergeMapInOrder((span) => cover$(span, fetchAt), listing.concurrency),
        takeWhile((next) => {
          if (sightings.isNewToPass(next)) return true;
          // At the end there is the overlap or nothing. Else the list has shifted by a page, or the
          // server ignores the offset.
          const { length } = next.items;
          if (length > 1 || length === 1 && !isContinued(previous, next, listing)) {
            sightings.disturb();
          }
          sightings.count(next);
          return false;
        }),
        concatMap((next) => {
          if (!isContinued(previous, next, listing)) sightings.disturb();
          previous = next;
          return sightings.add(next, endOf(next));
        }),
      );
      return concat(newItems, rest$);
    }),
  );
}

/** Whether nothing can have moved between two pages: the second begins with the end of the first. */
function isContinued<T>(
  previous: PlacedPage<T>,
  next: PlacedPage<T>,
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
 * Plans the pages after the first one, as long as that one was, whatever was asked for, and each
 * beginning with the last item of the one before. The end of the last one is left open, and where
 * the count of all items is not to be trusted it is the only one.
 */
function* spansAfter<T>(first: PlacedPage<T>): Iterable<Span> {
  if (isLast(first)) return;
  const overlap = overlapAfter(first);
  const total = hasTrustedTotal(first) ? first.cursor.totalCount : 0;
  const step = first.items.length - overlap;
  let start = endOf(first) - overlap;
  for (let span = 1; span < MAX_SPANS && start + step + overlap < total; span++) {
    yield { start, end: start + step + overlap };
    start += step;
  }
  yield { start, end: Infinity };
}

/** Fetches the pages that cover a span: one, or more where the server gives fewer items than that. */
function cover$<T>({ start, end }: Span, fetchAt: FetchAt<T>): Observable<PlacedPage<T>> {
  return fetchAt(start).pipe(
    expand((page) =>
      isLast(page) || endOf(page) >= end ? EMPTY : fetchAt(endOf(page) - overlapAfter(page))
    ),
  );
}

/** A page of one item leaves no room for an overlap, since the next one would bring nothing new. */
function overlapAfter<T>({ items }: PlacedPage<T>): 0 | 1 {
  return items.length > 1 ? 1 : 0;
}

function endOf<T>({ start, items }: PlacedPage<T>): number {
  return start + items.length;
}

/** A full page is never taken for the last, since a count can be stale or capped. */
function isLast<T>(page: PlacedPage<T>): boolean {
  return page.items.length === 0 ||
    !page.isFull && endOf(page) === page.cursor.totalCount;
}

/** A count that is less than what has been seen is none; some servers say 0. */
function hasTrustedTotal<T>(page: PlacedPage<T>): boolean {
  return page.cursor.totalCount >= endOf(page);
}
