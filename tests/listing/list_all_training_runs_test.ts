import { assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
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
import { TestScheduler } from "rxjs/testing";
import { InconsistentListingError, InvalidArgumentError } from "../../src/errors.ts";
import {
  type FetchPage,
  type ListAllOptions,
  listAllTrainingRuns$,
} from "../../src/listing/list_all_training_runs.ts";
import { type Change, ChangingListing, trainingRun } from "./changing_listing.ts";

function listedIds(fetchPage: FetchPage, options: ListAllOptions = {}): Promise<string[]> {
  return lastValueFrom(
    listAllTrainingRuns$(fetchPage, options).pipe(map((run) => run.trainingRunId), toArray()),
  );
}

Deno.test("a listing that stands still is read in one pass, in the server's order", async () => {
  const listing = new ChangingListing(250);
  const ids = await listedIds(listing.fetchPage());
  assertEquals(ids, Array.from({ length: 250 }, (_, index) => `run-${index}`));
  assertEquals(listing.requests, [
    { limit: 100, offset: 0 },
    { limit: 100, offset: 99 },
    { limit: 100, offset: 198 },
  ]);
});

for (const [runs, requests] of [[0, 1], [1, 1], [99, 1], [100, 1], [101, 2], [199, 2], [200, 3]]) {
  Deno.test(`${runs} runs in pages of 100 cost ${requests} requests`, async () => {
    const listing = new ChangingListing(runs ?? 0);
    assertEquals((await listedIds(listing.fetchPage())).length, runs);
    assertEquals(listing.requests.length, requests);
  });
}

Deno.test("take(n) within the first page costs one request", async () => {
  const listing = new ChangingListing(1000);
  const runs$ = listAllTrainingRuns$(listing.fetchPage()).pipe(take(100), toArray());
  assertEquals((await firstValueFrom(runs$)).length, 100);
  assertEquals(listing.requests.length, 1);
});

Deno.test("pages step by what came where the server caps the page size", async () => {
  const listing = new ChangingListing(60);
  assertEquals((await listedIds(listing.fetchPage(20), { pageSize: 100 })).length, 60);
  assertEquals(listing.requests.map(({ offset }) => offset), [0, 19, 38, 57]);
});

Deno.test("a server that gives one run a page is read to the end, twice to be sure", async () => {
  const listing = new ChangingListing(5);
  assertEquals((await listedIds(listing.fetchPage(1))).length, 5);
  assertEquals(listing.requests.length, 10);
});

Deno.test("a page in the middle that comes out short is filled up", async () => {
  const listing = new ChangingListing(100);
  let requests = 0;
  const ids = await listedIds(
    ({ limit, offset }) => defer(() => of(listing.page(limit, offset, ++requests === 2 ? 4 : 10))),
    { pageSize: 10 },
  );
  assertEquals(ids.sort(), listing.idsThroughout);
});

Deno.test("the listing begins at `offset`", async () => {
  const listing = new ChangingListing(250);
  const ids = await listedIds(listing.fetchPage(), { offset: 120, pageSize: 50 });
  assertEquals(ids, Array.from({ length: 130 }, (_, index) => `run-${index + 120}`));
});

Deno.test("an offset past the end gives nothing, also where the count is 0 there", async () => {
  const listing = new ChangingListing(10);
  const countless: FetchPage = ({ limit, offset }) =>
    of({ ...listing.page(limit, offset), cursor: { offset, limit, totalCount: 0 } });
  assertEquals(await listedIds(listing.fetchPage(), { offset: 30 }), []);
  assertEquals(await listedIds(countless, { offset: 30 }), []);
});

for (const totalCount of [0, 7, 1000]) {
  Deno.test(`a count of all runs that is always ${totalCount} does not lose any of 40`, async () => {
    const listing = new ChangingListing(40);
    const ids = await listedIds(
      ({ limit, offset }) =>
        of({ ...listing.page(limit, offset), cursor: { offset, limit, totalCount } }),
      {
        pageSize: 10,
      },
    );
    assertEquals(ids.sort(), listing.idsThroughout);
  });
}

Deno.test("a run that moves to the front behind the reader's back is found", async () => {
  const listing = new ChangingListing(30);
  let requests = 0;
  const fetchPage = listing.fetchPage(10, () => {
    if (++requests === 2) listing.apply({ type: "move", at: 0.99 });
  });
  const ids = await listedIds(fetchPage, { pageSize: 10, concurrency: 1 });
  assertEquals(ids.at(-1), "run-29");
  assertEquals(ids.sort(), listing.idsThroughout);
});

Deno.test("a move that a deletion hides from the overlap is found by the count", async () => {
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

Deno.test("runs that never stand still make an error that says so, after all were emitted", async () => {
  const listing = new ChangingListing(30);
  const emitted: string[] = [];
  const restless = listing.fetchPage(10, () => {
    listing.apply({ type: "insert", at: 0 });
    listing.apply({ type: "delete", at: 0.99 });
    listing.apply({ type: "delete", at: 0.98 });
    listing.apply({ type: "insert", at: 0 });
  });
  const error = await assertRejects(() =>
    lastValueFrom(
      listAllTrainingRuns$(restless, { pageSize: 10 }).pipe(
        map((run) => emitted.push(run.trainingRunId)),
      ),
    )
  );
  assertInstanceOf(error, InconsistentListingError);
  assertStringIncludes(error.message, "64 passes");
  assertEquals(new Set(emitted).size, emitted.length);
});

for (const totalCount of [0, 250]) {
  Deno.test(`a server that does not heed the offset, with a count of ${totalCount}, makes an error`, async () => {
    const listing = new ChangingListing(100);
    let requests = 0;
    const deaf: FetchPage = ({ limit, offset }) => {
      requests++;
      return of({ ...listing.page(limit, 0), cursor: { offset, limit, totalCount } });
    };
    await assertRejects(() => listedIds(deaf), InconsistentListingError);
    assertEquals(requests <= 64 * 5, true);
  });
}

Deno.test("a count of two thousand million does not plan as many pages", async () => {
  const listing = new ChangingListing(40);
  const ids = await listedIds(
    ({ limit, offset }) =>
      of({ ...listing.page(limit, offset), cursor: { offset, limit, totalCount: 2 ** 31 - 1 } }),
    {
      pageSize: 10,
    },
  );
  assertEquals(ids.length, 40);
});

Deno.test("without a count a move that a deletion hides is found in the second pass", async () => {
  const listing = new ChangingListing(9);
  let requests = 0;
  const uncounted: FetchPage = ({ limit, offset }) =>
    defer(() => {
      if (++requests === 2) {
        listing.apply({ type: "move", at: 0.6 });
        listing.apply({ type: "delete", at: 0.2 });
      }
      return of({ ...listing.page(limit, offset), cursor: { offset, limit, totalCount: 0 } });
    });
  const ids = await listedIds(uncounted, { pageSize: 3 });
  assertEquals(listing.idsThroughout.filter((id) => !ids.includes(id)), []);
});

const change: fc.Arbitrary<Change> = fc.record({
  type: fc.constantFrom("insert", "delete", "move"),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
});

for (const concurrency of [1, 4, 16]) {
  Deno.test(
    `every run that existed throughout comes out exactly once under random changes, ${concurrency} at a time`,
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
            // Each answer is as the list is when the scheduler lets it out, in any order.
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
            assertEquals(new Set(ids).size, ids.length, "each once");
            assertEquals(
              ids.filter((id) => listing.idsThroughout.includes(id)).sort(),
              listing.idsThroughout,
            );
          },
        ),
        { numRuns: 500 },
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
  Deno.test(`${argument}: ${Deno.inspect(options)} is refused before any request`, async () => {
    const listing = new ChangingListing(5);
    const error = await assertRejects(
      () => listedIds(listing.fetchPage(), options as ListAllOptions),
      InvalidArgumentError,
      argument,
    );
    assertEquals(error.argument, argument);
    assertEquals(listing.requests, []);
  });
}

Deno.test("the first page is out before others are asked for, then four are under way at once", () => {
  const scheduler = new TestScheduler((actual, expected) => assertEquals(actual, expected));
  scheduler.run(({ cold, expectObservable, expectSubscriptions }) => {
    const listing = new ChangingListing(6);
    // Pages of two runs, the later ones of which overlap by one.
    const answers = [0, 1, 2, 3, 4].map((offset) =>
      cold("-----(p|)", { p: listing.page(2, offset) })
    );
    const runs$ = listAllTrainingRuns$(
      ({ offset }) => answers[offset] ?? throwError(() => new Error(`asked for ${offset}`)),
      { pageSize: 2 },
    ).pipe(map(({ trainingRunId }) => trainingRunId.replace("run-", "")));
    expectObservable(runs$).toBe("-----(01)-(2345|)");
    expectSubscriptions(answers[0]?.subscriptions ?? []).toBe("^----!");
  });
});

Deno.test("unsubscribing gives up every page that is under way", () => {
  const scheduler = new TestScheduler((actual, expected) => assertEquals(actual, expected));
  scheduler.run(({ cold, expectObservable, expectSubscriptions }) => {
    const first = cold("-(p|)", { p: new ChangingListing(100).page(10, 0) });
    const never = cold<never>("-");
    const runs$ = listAllTrainingRuns$(({ offset }) => offset === 0 ? first : never).pipe(
      map(() => "r"),
    );
    expectObservable(runs$, "^----!").toBe("-(rrrrrrrrrr)");
    expectSubscriptions(never.subscriptions).toBe(Array(4).fill("-^---!"));
  });
});

Deno.test("a page that fails makes the listing fail, once what comes before it is out", async () => {
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
