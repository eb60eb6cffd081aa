import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import fc from "fast-check";
import {
  defer,
  firstValueFrom,
  from,
  lastValueFrom,
  map,
  of,
  take,
  throwError,
  toArray,
} from "rxjs";
import { InconsistentListingError, InvalidArgumentError } from "../../src/errors.ts";
import {
  type FetchPage,
  listAllTrainingRuns$,
  type ListAllTrainingRunsOptions,
} from "../../src/listing/list_all_training_runs.ts";
import type { TrainingRunsResponse } from "../../src/types.ts";
import { ChangingListing, type ListChange, trainingRun } from "./changing_listing.ts";
import { runMarbles } from "../marbles.ts";

function listedIds(
  fetchPage: FetchPage,
  options: ListAllTrainingRunsOptions = {},
): Promise<string[]> {
  return lastValueFrom(
    listAllTrainingRuns$(fetchPage, options).pipe(map((run) => run.trainingRunId), toArray()),
  );
}

Deno.test("listAllTrainingRuns$ reads a stable list in one pass, in the server's order", async () => {
  const listing = new ChangingListing(250);
  const ids = await listedIds(listing.fetchPage());
  assertEquals(ids, Array.from({ length: 250 }, (_, index) => `run-${index}`));
  assertEquals(listing.requests, [
    { limit: 100, offset: 0 },
    { limit: 100, offset: 99 },
    { limit: 100, offset: 198 },
  ]);
});

// A full page never counts as the last one, regardless of the total count.
for (const [runs, requests] of [[0, 1], [1, 1], [99, 1], [100, 2], [101, 2], [199, 3], [200, 3]]) {
  Deno.test(`listAllTrainingRuns$ lists ${runs} runs in pages of 100 with ${requests} requests`, async () => {
    const listing = new ChangingListing(runs ?? 0);
    assertEquals((await listedIds(listing.fetchPage())).length, runs);
    assertEquals(listing.requests.length, requests);
  });
}

Deno.test("listAllTrainingRuns$ sends one request for take(n) within the first page", async () => {
  const listing = new ChangingListing(1000);
  const runs$ = listAllTrainingRuns$(listing.fetchPage()).pipe(take(100), toArray());
  assertEquals((await firstValueFrom(runs$)).length, 100);
  assertEquals(listing.requests.length, 1);
});

Deno.test("listAllTrainingRuns$ advances by the length of the page where the server caps the page size", async () => {
  const listing = new ChangingListing(60);
  assertEquals((await listedIds(listing.fetchPage(20), { pageSize: 100 })).length, 60);
  assertEquals(listing.requests.map(({ offset }) => offset), [0, 19, 38, 57]);
});

Deno.test("listAllTrainingRuns$ reads pages of one run to the end, in two passes", async () => {
  const listing = new ChangingListing(5);
  assertEquals((await listedIds(listing.fetchPage(1))).length, 5);
  assertEquals(listing.requests.length, 12);
});

Deno.test("listAllTrainingRuns$ requests the rest of a short page in the middle", async () => {
  const listing = new ChangingListing(100);
  let requests = 0;
  const ids = await listedIds(
    ({ limit, offset }) => defer(() => of(listing.page(limit, offset, ++requests === 2 ? 4 : 10))),
    { pageSize: 10 },
  );
  assertEquals(ids.sort(), listing.idsThroughout);
});

Deno.test("listAllTrainingRuns$ begins at `offset`", async () => {
  const listing = new ChangingListing(250);
  const ids = await listedIds(listing.fetchPage(), { offset: 120, pageSize: 50 });
  assertEquals(ids, Array.from({ length: 130 }, (_, index) => `run-${index + 120}`));
});

Deno.test("listAllTrainingRuns$ emits nothing for an offset past the end, also with a count of 0", async () => {
  const listing = new ChangingListing(10);
  const withoutCount: FetchPage = ({ limit, offset }) =>
    of({ ...listing.page(limit, offset), cursor: { offset, limit, totalCount: 0 } });
  assertEquals(await listedIds(listing.fetchPage(), { offset: 30 }), []);
  assertEquals(await listedIds(withoutCount, { offset: 30 }), []);
});

for (const totalCount of [0, 7, 15, 39]) {
  Deno.test(`listAllTrainingRuns$ lists all 40 runs of a server whose count is always ${totalCount}`, async () => {
    const listing = new ChangingListing(40);
    const ids = await listedIds(
      ({ limit, offset }) =>
        of({ ...listing.page(limit, offset), cursor: { offset, limit, totalCount } }),
      { pageSize: 10 },
    );
    assertEquals(ids.sort(), listing.idsThroughout);
  });
}

Deno.test("listAllTrainingRuns$ finds a run that moves to a page that was already read", async () => {
  const listing = new ChangingListing(30);
  let requests = 0;
  const fetchPage = listing.fetchPage(10, () => {
    if (++requests === 2) listing.apply({ type: "move", at: 0.99 });
  });
  const ids = await listedIds(fetchPage, { pageSize: 10, concurrency: 1 });
  assertEquals(ids.at(-1), "run-29");
  assertEquals(ids.sort(), listing.idsThroughout);
});

Deno.test("listAllTrainingRuns$ detects by the count a move that a deletion hides from the overlap", async () => {
  const listing = new ChangingListing(30);
  let requests = 0;
  const fetchPage = listing.fetchPage(10, () => {
    if (++requests !== 2) return;
    listing.apply({ type: "move", at: 0.99 });
    listing.apply({ type: "delete", at: 0.1 });
  });
  const ids = await listedIds(fetchPage, { pageSize: 10, concurrency: 1 });
  assertEquals(ids.includes("run-29"), true);
});

Deno.test("listAllTrainingRuns$ emits the runs and fails if the list changes in every pass", async () => {
  const listing = new ChangingListing(30);
  const emitted: string[] = [];
  const alwaysChanging = listing.fetchPage(10, () => {
    listing.apply({ type: "insert", at: 0 });
    listing.apply({ type: "delete", at: 0.99 });
    listing.apply({ type: "delete", at: 0.98 });
    listing.apply({ type: "insert", at: 0 });
  });
  const error = await assertRejects(() =>
    lastValueFrom(
      listAllTrainingRuns$(alwaysChanging, { pageSize: 10 }).pipe(
        map((run) => emitted.push(run.trainingRunId)),
      ),
    )
  );
  assertInstanceOf(error, InconsistentListingError);
  assertStringIncludes(error.message, "64 passes");
  assertEquals(new Set(emitted).size, emitted.length);
});

/** Lists, and returns the emitted ids, the error and the number of requests. */
async function outcome(fetchPage: FetchPage, options: ListAllTrainingRunsOptions = {}) {
  const ids: string[] = [];
  let requests = 0;
  const counted: FetchPage = (query) =>
    defer(() => {
      requests++;
      return fetchPage(query);
    });
  const error = await listAllTrainingRuns$(counted, options)
    .forEach(({ trainingRunId }) => ids.push(trainingRunId))
    .then(() => undefined, (error) => error);
  return { ids, error, requests };
}

/** Returns a page with another total count. */
function withCount(page: TrainingRunsResponse, totalCount: number): TrainingRunsResponse {
  return { ...page, cursor: { ...page.cursor, totalCount } };
}

/** Returns a page without runs. */
function withoutRuns(page: TrainingRunsResponse): TrainingRunsResponse {
  return { ...page, trainingRuns: [] };
}

const contradictions: readonly (readonly [
  name: string,
  listed: number,
  message: string,
  pageOf: (listing: ChangingListing, limit: number, offset: number) => TrainingRunsResponse,
])[] = [
  [
    "an empty first page with a count of 250",
    0,
    "the server counts 250, but lists 0",
    (listing, limit, offset) => withoutRuns(listing.page(limit, offset)),
  ],
  [
    "an empty page in the middle of 250",
    100,
    "the server counts 250, but lists 100",
    (listing, limit, offset) =>
      offset === 99 ? withoutRuns(listing.page(limit, offset)) : listing.page(limit, offset),
  ],
  [
    "an empty page in the middle with a count of 0",
    100,
    "the server counts 250, but lists 100",
    (listing, limit, offset) =>
      offset === 99
        ? withCount(withoutRuns(listing.page(limit, offset)), 0)
        : listing.page(limit, offset),
  ],
  [
    "an offset that the server treats as a page number",
    100,
    "the server counts 250, but lists 100",
    (listing, limit, offset) => listing.page(limit, offset * limit),
  ],
  [
    "a count that is too high",
    250,
    "the server counts 1000, but lists 250",
    (listing, limit, offset) => withCount(listing.page(limit, offset), 1000),
  ],
  [
    "a count of 2 147 483 647",
    250,
    "the server counts 2147483647, but lists 250",
    (listing, limit, offset) => withCount(listing.page(limit, offset), 2 ** 31 - 1),
  ],
  [
    "an empty page with a larger count than the pages before",
    100,
    "the server counts 250, but lists 100",
    (listing, limit, offset) =>
      offset === 0
        ? withCount(listing.page(limit, offset), 100)
        : withCount(withoutRuns(listing.page(limit, offset)), 250),
  ],
  [
    "a run on two pages that replaces another run",
    249,
    "the server counts 250, but lists 249",
    (listing, limit, offset) => {
      const page = listing.page(limit, offset);
      return {
        ...page,
        trainingRuns: page.trainingRuns.map((run) =>
          run.trainingRunId === "run-150" ? trainingRun("run-50") : run
        ),
      };
    },
  ],
  [
    "a run twice on one page that replaces another run",
    249,
    "the server counts 250, but lists 249",
    (listing, limit, offset) => {
      const page = listing.page(limit, offset);
      return {
        ...page,
        trainingRuns: page.trainingRuns.map((run, index, runs) =>
          run.trainingRunId === "run-50" ? runs[index - 1] ?? run : run
        ),
      };
    },
  ],
];

for (const [name, listed, message, pageOf] of contradictions) {
  Deno.test(`listAllTrainingRuns$ emits the runs and fails for ${name}`, async () => {
    const listing = new ChangingListing(250);
    const fetchPage: FetchPage = ({ limit, offset }) => of(pageOf(listing, limit, offset));
    const { ids, error, requests } = await outcome(fetchPage);
    assertInstanceOf(error, InconsistentListingError);
    assertStringIncludes(error.message, message);
    assertEquals(new Set(ids).size, ids.length);
    assertEquals(ids.length, listed);
    assertLess(requests, 15);
  });
}

Deno.test("listAllTrainingRuns$ fails for an offset past the end if the server counts more", async () => {
  const listing = new ChangingListing(10);
  const fetchPage: FetchPage = ({ limit, offset }) =>
    of(withCount(listing.page(limit, offset), 250));
  const { ids, error } = await outcome(fetchPage, { offset: 30 });
  assertEquals(ids, []);
  assertInstanceOf(error, InconsistentListingError);
});

Deno.test("listAllTrainingRuns$ recovers from a page that is empty once", async () => {
  const listing = new ChangingListing(250);
  let isFirst = true;
  const fetchPage: FetchPage = ({ limit, offset }) => {
    const page = listing.page(limit, offset);
    if (offset !== 99 || !isFirst) return of(page);
    isFirst = false;
    return of(withoutRuns(page));
  };
  const { ids, error } = await outcome(fetchPage);
  assertEquals(error, undefined);
  assertEquals(ids.length, 250);
});

Deno.test("listAllTrainingRuns$ lists every run if each page's count is its own end", async () => {
  const listing = new ChangingListing(250);
  const fetchPage: FetchPage = ({ limit, offset }) => {
    const page = listing.page(limit, offset);
    return of(withCount(page, offset + page.trainingRuns.length));
  };
  const { ids, error } = await outcome(fetchPage);
  assertEquals(error, undefined);
  assertEquals(ids, Array.from({ length: 250 }, (_, index) => `run-${index}`));
});

Deno.test("listAllTrainingRuns$ lists every run if pages are longer than the limit", async () => {
  const listing = new ChangingListing(250);
  const { ids, error } = await outcome(({ limit, offset }) => of(listing.page(limit * 2, offset)));
  assertEquals(error, undefined);
  assertEquals(ids.length, 250);
});

/** The number of random schedules of changes at each concurrency. */
const CHANGE_SCHEDULES = Number(Deno.env.get("CHANGE_SCHEDULES") ?? 300);

/** The defects that a server can give to a page. */
const defects = {
  none: (page: TrainingRunsResponse) => page,
  removeAll: withoutRuns,
  removeHalf: (page: TrainingRunsResponse) => ({
    ...page,
    trainingRuns: page.trainingRuns.slice(0, Math.ceil(page.trainingRuns.length / 2)),
  }),
  duplicateAll: (page: TrainingRunsResponse) => ({
    ...page,
    trainingRuns: page.trainingRuns.flatMap((run) => [run, run]),
  }),
  repeatFirst: (page: TrainingRunsResponse) => ({
    ...page,
    trainingRuns: page.trainingRuns.map((run, index, runs) => index === 1 ? runs[0] ?? run : run),
  }),
} as const;

const faultyServers = fc.record({
  length: fc.integer({ min: 0, max: 40 }),
  pageSize: fc.integer({ min: 1, max: 12 }),
  cap: fc.integer({ min: 1, max: 12 }),
  concurrency: fc.constantFrom(1, 4),
  /** How the server interprets the offset. */
  offset: fc.constantFrom("used", "ignored", "page number", "one more", "half"),
  /** The total count; `end` is the page's own end, `past end` is 0 past the end. */
  count: fc.oneof(
    fc.constantFrom("true", "end", "past end" as const),
    fc.integer({ min: 0, max: 60 }),
    fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 5 }),
  ),
  hasOwnLimit: fc.boolean(),
  /** The defects of the pages, in turn. */
  pages: fc.array(fc.constantFrom(...Object.values(defects)), { minLength: 1, maxLength: 5 }),
  /** Whether a page's defect depends on its offset, so that all passes are alike, or on its turn. */
  isRepeatable: fc.boolean(),
});

Deno.test("listAllTrainingRuns$ fails, or lists at least as many runs as were counted, with any faulty server", async () => {
  await fc.assert(
    fc.asyncProperty(faultyServers, async (server) => {
      const listing = new ChangingListing(server.length);
      let turn = 0;
      // The largest count of a page. Where counts differ the list may have grown since any of the
      // first responses, so that only the smallest of those is a lower bound.
      let counted: number | undefined;
      const fetchPage: FetchPage = ({ limit, offset }) => {
        const at = server.isRepeatable ? offset : turn++;
        const from = {
          "used": offset,
          "ignored": 0,
          "page number": offset * limit,
          "one more": offset === 0 ? 0 : offset + 1,
          "half": Math.floor(offset / 2),
        }[server.offset] ?? 0;
        const applyDefect = server.pages[at % server.pages.length] ?? defects.none;
        const page = applyDefect(listing.page(limit, from, server.cap));
        const end = offset + page.trainingRuns.length;
        const { count } = server;
        const totalCount = Array.isArray(count)
          ? count[at % count.length] ?? 0
          : typeof count === "number"
          ? count
          : count === "end"
          ? end
          : count === "past end" && offset >= server.length
          ? 0
          : server.length;
        const isGrowing = Array.isArray(count) || count === "end";
        if (!isGrowing) counted = Math.max(counted ?? 0, totalCount);
        else if (offset === 0) counted = Math.min(counted ?? Infinity, totalCount);
        return of({
          ...page,
          cursor: { offset, limit: server.hasOwnLimit ? page.cursor.limit : limit, totalCount },
        });
      };
      const { pageSize, concurrency } = server;
      const { ids, error, requests } = await outcome(fetchPage, { pageSize, concurrency });
      assertEquals(new Set(ids).size, ids.length, "no duplicates");
      assertLess(requests, 64 * 100);
      if (error === undefined) assert(ids.length >= Math.min(counted ?? 0, server.length));
      else assertInstanceOf(error, InconsistentListingError);
    }),
    { numRuns: CHANGE_SCHEDULES },
  );
});

for (const [name, totalCount] of [["no", 0], ["a fixed", 250], ["a huge", 2 ** 31 - 1]] as const) {
  Deno.test(`listAllTrainingRuns$ fails after 10 000 pages of an endless list with ${name} count`, async () => {
    let requests = 0;
    const endless: FetchPage = ({ limit, offset }) =>
      defer(async () => {
        requests++;
        await Promise.resolve();
        const ids = Array.from({ length: 2 }, (_, index) => `run-${offset + index}`);
        return {
          trainingRuns: ids.map(trainingRun),
          cursor: { offset, limit, totalCount },
        };
      });
    const { ids, error } = await outcome(endless, { pageSize: 2 });
    assertInstanceOf(error, InconsistentListingError);
    assertStringIncludes(error.message, "10000 pages and no end");
    assertEquals(requests, 10_000);
    assertEquals(new Set(ids).size, ids.length);
    assertEquals(ids.length > 9_900, true);
  });
}

for (const totalCount of [0, 250]) {
  Deno.test(`listAllTrainingRuns$ fails if the server ignores the offset and counts ${totalCount}`, async () => {
    const listing = new ChangingListing(100);
    let requests = 0;
    const withoutOffset: FetchPage = ({ limit, offset }) => {
      requests++;
      return of({ ...listing.page(limit, 0), cursor: { offset, limit, totalCount } });
    };
    await assertRejects(() => listedIds(withoutOffset), InconsistentListingError);
    assertEquals(requests <= 64 * 5, true);
  });
}

Deno.test("listAllTrainingRuns$ finds in the second pass, without a count, a move that a deletion hides", async () => {
  const listing = new ChangingListing(9);
  let requests = 0;
  const withoutCount: FetchPage = ({ limit, offset }) =>
    defer(() => {
      if (++requests === 2) {
        listing.apply({ type: "move", at: 0.6 });
        listing.apply({ type: "delete", at: 0.2 });
      }
      return of({ ...listing.page(limit, offset), cursor: { offset, limit, totalCount: 0 } });
    });
  const ids = await listedIds(withoutCount, { pageSize: 3 });
  assertEquals(listing.idsThroughout.filter((id) => !ids.includes(id)), []);
});

const change: fc.Arbitrary<ListChange> = fc.record({
  type: fc.constantFrom("insert", "delete", "move"),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
});

for (const concurrency of [1, 4, 16]) {
  Deno.test(
    `listAllTrainingRuns$ emits every run that existed throughout once under random changes, concurrency ${concurrency}`,
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.scheduler(),
          fc.integer({ min: 0, max: 60 }),
          fc.integer({ min: 1, max: 12 }),
          fc.integer({ min: 1, max: 20 }),
          fc.array(fc.array(change, { maxLength: 4 }), { maxLength: 40 }),
          async (scheduler, length, cap, pageSize, changes) => {
            const listing = new ChangingListing(length);
            let requests = 0;
            // The scheduler settles the requests in any order; each page is read from the list at that time.
            const fetchPage: FetchPage = ({ limit, offset }) =>
              defer(() =>
                from(
                  scheduler.schedule(Promise.resolve()).then(() => {
                    changes[requests++]?.forEach((change) => listing.apply(change));
                    return listing.page(limit, offset, cap);
                  }),
                )
              );
            const ids = await scheduler.waitFor(listedIds(fetchPage, { pageSize, concurrency }));
            assertEquals(new Set(ids).size, ids.length, "no duplicates");
            assertEquals(
              ids.filter((id) => listing.idsThroughout.includes(id)).sort(),
              listing.idsThroughout,
            );
          },
        ),
        { numRuns: CHANGE_SCHEDULES },
      );
    },
  );
}

for (
  const [argument, options] of [
    ["pageSize", { pageSize: 0 }],
    ["pageSize", { pageSize: 1.5 }],
    ["pageSize", { pageSize: NaN }],
    ["offset", { offset: -1 }],
    ["concurrency", { concurrency: 0 }],
    ["concurrency", { concurrency: Infinity }],
    ["options", null],
  ] as const
) {
  Deno.test(`listAllTrainingRuns$ rejects ${argument} of ${Deno.inspect(options)} before any request`, async () => {
    const listing = new ChangingListing(5);
    const error = await assertRejects(
      () => listedIds(listing.fetchPage(), options as ListAllTrainingRunsOptions),
      InvalidArgumentError,
      argument,
    );
    assertEquals(error.argument, argument);
    assertEquals(listing.requests, []);
  });
}

Deno.test("listAllTrainingRuns$ emits the first page, then requests four pages concurrently", () => {
  runMarbles(({ cold, expectObservable, expectSubscriptions }) => {
    const listing = new ChangingListing(6);
    // Pages of two runs that overlap by one.
    const pages = [0, 1, 2, 3, 4, 5].map((offset) =>
      cold(offset === 5 ? "----------(p|)" : "-----(p|)", { p: listing.page(2, offset) })
    );
    const runs$ = listAllTrainingRuns$(
      ({ offset }) =>
        pages[offset] ?? throwError(() => new Error(`unexpected request for ${offset}`)),
      { pageSize: 2 },
    ).pipe(map(({ trainingRunId }) => trainingRunId.replace("run-", "")));
    // The last page is full, so that one more is requested.
    expectObservable(runs$).toBe("-----(01)-(2345)----|");
    expectSubscriptions(pages[0]?.subscriptions ?? []).toBe("^----!");
  });
});

Deno.test("listAllTrainingRuns$ aborts every request in flight on unsubscribe", () => {
  runMarbles(({ cold, expectObservable, expectSubscriptions }) => {
    const first = cold("-(p|)", { p: new ChangingListing(100).page(10, 0) });
    const never = cold<never>("-");
    const runs$ = listAllTrainingRuns$(({ offset }) => offset === 0 ? first : never).pipe(
      map(() => "r"),
    );
    expectObservable(runs$, "^----!").toBe("-(rrrrrrrrrr)");
    expectSubscriptions(never.subscriptions).toBe(Array(4).fill("-^---!"));
  });
});

Deno.test("listAllTrainingRuns$ fails with a page's error after the runs before that page", async () => {
  const listing = new ChangingListing(40);
  const emitted: string[] = [];
  const failing: FetchPage = (query) =>
    query.offset > 15
      ? throwError(() => new Error(`page at ${query.offset}`))
      : from(Promise.resolve(listing.page(query.limit, query.offset)));
  await assertRejects(
    () =>
      lastValueFrom(
        listAllTrainingRuns$(failing, { pageSize: 10 }).pipe(
          map((run) => emitted.push(run.trainingRunId)),
        ),
      ),
    Error,
    "page at 18",
  );
  assertEquals(emitted.length, 19);
  assertEquals(trainingRun("run-18").trainingRunId, emitted.at(-1));
});
