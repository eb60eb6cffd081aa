import {
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { NotFoundError, RestClient } from "@hpcai/rx";
import { FakeHpcai, type FakeHpcaiOptions } from "@hpcai/rx/testing";
import fc from "fast-check";
import { defer, firstValueFrom, from, lastValueFrom, type Observable, of, toArray } from "rxjs";
import { InconsistentListingError } from "../../src/errors.ts";
import { completeCheckpoints$ } from "../../src/listing/list_checkpoints.ts";
import type { Checkpoint } from "../../src/types.ts";
import type { CheckpointsPage } from "../../src/wire.ts";
import { type Change, ChangingListing } from "./changing_listing.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";

/** A run with ten checkpoints of three types on a server with these ways. */
function setting(options: FakeHpcaiOptions = {}) {
  const fake = new FakeHpcai({ trainingRuns: 1, ...options });
  for (let index = 0; index < 6; index++) {
    fake.addCheckpoint(RUN, { checkpointId: `extra-${index}`, checkpointType: "external" });
  }
  const client = new RestClient({
    apiKey: fake.apiKey,
    fetch: fake.fetch,
    retry: { initialDelayMs: 0 },
  });
  return { fake, client };
}

function idsOf(checkpoints: readonly { readonly checkpointId: string }[]): string[] {
  return checkpoints.map(({ checkpointId }) => checkpointId);
}

function queriesOf({ requests }: FakeHpcai): string[] {
  return requests.map(({ url }) => new URL(url).search);
}

Deno.test("listCheckpoints$ asks once, without a query, where there is no cursor", async () => {
  const { fake, client } = setting();
  const { checkpoints } = await firstValueFrom(client.listCheckpoints$(RUN));
  assertEquals(idsOf(checkpoints), idsOf(fake.checkpoints(RUN)));
  assertEquals(queriesOf(fake), [""]);
});

Deno.test("listCheckpoints$ follows the cursor and emits once, in the server's order", async () => {
  const { fake, client } = setting({ maxCheckpointPageSize: 4 });
  const emitted = await lastValueFrom(client.listCheckpoints$(RUN).pipe(toArray()));
  assertEquals(emitted.map(({ checkpoints }) => idsOf(checkpoints)), [
    idsOf(fake.checkpoints(RUN)),
  ]);
  assertEquals(Object.keys(emitted[0] ?? {}), ["checkpoints"]);
  assertEquals(queriesOf(fake), [
    "",
    "?limit=4&offset=3",
    "?limit=4&offset=6",
    "?limit=4&offset=9",
  ]);
});

for (const maxCheckpointPageSize of [1, 2, 3, 9, 10, 11, 100]) {
  for (const totalCountPastEnd of ["true", "zero"] as const) {
    Deno.test(`listCheckpoints$ lists all of 10 in pages of ${maxCheckpointPageSize}, where a page past the end counts the ${totalCountPastEnd} total`, async () => {
      const { fake, client } = setting({ maxCheckpointPageSize, totalCountPastEnd });
      const { checkpoints } = await firstValueFrom(client.listCheckpoints$(RUN));
      assertEquals(idsOf(checkpoints), idsOf(fake.checkpoints(RUN)));
    });
  }
}

Deno.test("listCheckpoints$ of a run that is removed while its pages are read is a NotFoundError", async () => {
  const fake = new FakeHpcai({ trainingRuns: 1, maxCheckpointPageSize: 2 });
  const client = new RestClient({
    apiKey: fake.apiKey,
    fetch: async (input, init) => {
      const response = await fake.fetch(input, init);
      if (fake.requests.length === 1) fake.removeTrainingRun(RUN);
      return response;
    },
  });
  const error = await assertRejects(() => firstValueFrom(client.listCheckpoints$(RUN)));
  assertInstanceOf(error, NotFoundError);
});

Deno.test("what listings have of a checkpoint with another scheme and type is enough to download and delete it", async () => {
  const { fake, client } = setting({ checkpointPaths: "tinker", maxCheckpointPageSize: 3 });
  const { checkpoints } = await firstValueFrom(client.listCheckpoints$(RUN));
  const found = checkpoints.find(({ checkpointType }) => checkpointType === "external");
  assertEquals(found?.checkpointPath, `tinker://${RUN}/external_weights/extra-0`);
  assertEquals(found?.trainingRunId, RUN);
  const complete = await lastValueFrom(client.download$(found ?? ""));
  assertEquals(complete.loaded, fake.archive(RUN, "extra-0").byteLength);
  const [result] = await lastValueFrom(client.deleteCheckpoints$([found ?? ""]).pipe(toArray()));
  assertEquals(result?.type, "deleted");
  assertEquals(idsOf(fake.checkpoints(RUN)).includes("extra-0"), false);
  const run = await firstValueFrom(client.getTrainingRun$(RUN));
  assertEquals(run.lastCheckpoint?.trainingRunId, RUN);
  const last = await lastValueFrom(client.download$(run.lastCheckpoint ?? ""));
  assertEquals(last.loaded, fake.archive(RUN, "final").byteLength);
});

Deno.test("checkpoints of an unknown type, without owner and time, pass through listings and watches", async () => {
  const { fake, client } = setting();
  const run = fake.addTrainingRun({ modelOwner: null, fields: { last_request_time: null } });
  fake.addCheckpoint(run, {
    checkpointId: "c",
    checkpointType: "external",
    fields: { time: null, expires_at: "2026-02-01T00:00:00Z", anything: [1] },
  });
  const all = await lastValueFrom(client.listAllCheckpoints$().pipe(toArray()));
  assertEquals(all.length, 11);
  assertEquals(all[0]?.trainingRun.modelOwner, null);
  assertEquals(all[0]?.trainingRun.lastRequestTime, null);
  const { value } = await firstValueFrom(client.watchCheckpoints$(run));
  assertEquals([value.checkpointType, value.time], ["external", null]);
  assertEquals(value.expiresAt, new Date("2026-02-01T00:00:00Z"));
});

function checkpoint(checkpointId: string): Checkpoint {
  return {
    trainingRunId: "run",
    checkpointId,
    checkpointType: "training",
    time: new Date(0),
    checkpointPath: `hpcai://run/weights/${checkpointId}`,
  };
}

/** A page of a list that changes, as one of checkpoints. */
function pageOf(listing: ChangingListing, limit: number, offset: number): CheckpointsPage {
  const { trainingRuns, cursor } = listing.page(limit, offset);
  return {
    checkpoints: trainingRuns.map(({ trainingRunId }) => checkpoint(trainingRunId)),
    cursor,
  };
}

async function completed(
  first: CheckpointsPage,
  fetchPage: (query: { limit: number; offset: number }) => Observable<CheckpointsPage>,
): Promise<string[]> {
  const { checkpoints } = await lastValueFrom(completeCheckpoints$(first, fetchPage));
  return idsOf(checkpoints);
}

Deno.test("checkpoints that are added in front while pages are read are listed in front", async () => {
  const listing = new ChangingListing(25);
  const first = pageOf(listing, 10, 0);
  listing.apply({ type: "insert", at: 0 });
  const ids = await completed(first, ({ limit, offset }) => of(pageOf(listing, limit, offset)));
  assertEquals(ids, ["new-0", ...Array.from({ length: 25 }, (_, index) => `run-${index}`)]);
});

Deno.test("two checkpoints of different types with one id are both listed", async () => {
  const { fake, client } = setting({ maxCheckpointPageSize: 2 });
  fake.addCheckpoint(RUN, {
    checkpointId: "twin",
    fields: { checkpoint_id: "final", checkpoint_type: "external" },
  });
  const { checkpoints } = await firstValueFrom(client.listCheckpoints$(RUN));
  assertEquals(idsOf(checkpoints).filter((id) => id === "final").length, 2);
});

const limit = 10;
const contradictions: readonly (readonly [
  name: string,
  fetchPage: (listing: ChangingListing, offset: number) => CheckpointsPage,
])[] = [
  ["an empty page in the middle", (listing, offset) => ({
    ...pageOf(listing, limit, offset),
    checkpoints: [],
  })],
  ["an offset that is ignored", (listing) => pageOf(listing, limit, 0)],
  [
    "an offset that is taken for the number of a page",
    (listing, offset) => pageOf(listing, limit, offset * limit),
  ],
];

for (const [name, answer] of contradictions) {
  Deno.test(`listCheckpoints$ fails and emits nothing where there is ${name}`, async () => {
    const listing = new ChangingListing(25);
    const emitted: unknown[] = [];
    let requests = 0;
    const listing$ = completeCheckpoints$(pageOf(listing, limit, 0), ({ offset }) => {
      requests++;
      return of(offset === 0 ? pageOf(listing, limit, 0) : answer(listing, offset));
    });
    const error = await assertRejects(() => listing$.forEach((value) => emitted.push(value)));
    assertInstanceOf(error, InconsistentListingError);
    assertStringIncludes(error.message, "Cannot list all checkpoints");
    assertEquals(emitted, []);
    assertLess(requests, 64 * 5);
  });
}

Deno.test("pages without a cursor after a first one with a cursor are read to their end", async () => {
  const listing = new ChangingListing(25);
  const ids = await completed(
    pageOf(listing, limit, 0),
    ({ limit, offset }) => of({ ...pageOf(listing, limit, offset), cursor: null }),
  );
  assertEquals(ids.toSorted(), listing.idsThroughout);
});

Deno.test("a server that gives its limit as 0 is asked for pages of 100", async () => {
  const listing = new ChangingListing(25);
  const first = pageOf(listing, limit, 0);
  const limits: number[] = [];
  const cursor = { offset: 0, limit: 0, totalCount: 25 };
  const ids = await completed({ ...first, cursor }, (query) => {
    limits.push(query.limit);
    return of(pageOf(listing, limit, query.offset));
  });
  assertEquals(ids.length, 25);
  assertEquals(new Set(limits), new Set([100]));
});

const changes: fc.Arbitrary<Change> = fc.record({
  type: fc.constantFrom("insert", "insert", "delete"),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
});

Deno.test("every checkpoint that existed throughout is listed exactly once under random changes", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.integer({ min: 0, max: 60 }),
      fc.integer({ min: 1, max: 12 }),
      fc.array(fc.array(changes, { maxLength: 4 }), { maxLength: 40 }),
      async (scheduler, length, limit, schedule) => {
        const listing = new ChangingListing(length);
        let requests = 0;
        const first = pageOf(listing, limit, 0);
        const ids = await scheduler.waitFor(
          completed(first, ({ offset }) =>
            defer(() =>
              from(
                scheduler.schedule(Promise.resolve()).then(() => {
                  schedule[requests++]?.forEach((change) => listing.apply(change));
                  return pageOf(listing, limit, offset);
                }),
              )
            )),
        );
        assertEquals(new Set(ids).size, ids.length, "each once");
        assertEquals(
          ids.filter((id) => listing.idsThroughout.includes(id)).sort(),
          listing.idsThroughout,
        );
      },
    ),
    { numRuns: Number(Deno.env.get("CHANGE_SCHEDULES") ?? 300) },
  );
});
