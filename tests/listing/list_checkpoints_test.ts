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
import { ChangingListing, type ListChange } from "./changing_listing.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";

/** Returns a fake API whose run has ten checkpoints of three types, and a client of it. */
function createClient(options: FakeHpcaiOptions = {}) {
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

Deno.test("listCheckpoints$ sends one request, without a query, if the response has no cursor", async () => {
  const { fake, client } = createClient();
  const { checkpoints } = await firstValueFrom(client.listCheckpoints$(RUN));
  assertEquals(idsOf(checkpoints), idsOf(fake.checkpoints(RUN)));
  assertEquals(queriesOf(fake), [""]);
});

Deno.test("listCheckpoints$ follows the cursor and emits once, in the server's order", async () => {
  const { fake, client } = createClient({ maxCheckpointPageSize: 4 });
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
    Deno.test(`listCheckpoints$ lists all of 10 in pages of ${maxCheckpointPageSize} if the count past the end is ${totalCountPastEnd}`, async () => {
      const { fake, client } = createClient({ maxCheckpointPageSize, totalCountPastEnd });
      const { checkpoints } = await firstValueFrom(client.listCheckpoints$(RUN));
      assertEquals(idsOf(checkpoints), idsOf(fake.checkpoints(RUN)));
    });
  }
}

Deno.test("listCheckpoints$ fails with a NotFoundError if the run is deleted between two pages", async () => {
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

Deno.test("download$ and deleteCheckpoints$ accept a listed checkpoint with another scheme and type", async () => {
  const { fake, client } = createClient({ checkpointPaths: "tinker", maxCheckpointPageSize: 3 });
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

Deno.test("listAllCheckpoints$ and watchCheckpoints$ emit checkpoints of an unknown type, without owner and time", async () => {
  const { fake, client } = createClient();
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

/** Returns a page of the changing list, converted to checkpoints. */
function pageOf(listing: ChangingListing, limit: number, offset: number): CheckpointsPage {
  const { trainingRuns, cursor } = listing.page(limit, offset);
  return {
    checkpoints: trainingRuns.map(({ trainingRunId }) => checkpoint(trainingRunId)),
    cursor,
  };
}

async function completeIds(
  first: CheckpointsPage,
  fetchPage: (query: { limit: number; offset: number }) => Observable<CheckpointsPage>,
): Promise<string[]> {
  const { checkpoints } = await lastValueFrom(completeCheckpoints$(first, fetchPage));
  return idsOf(checkpoints);
}

Deno.test("completeCheckpoints$ lists checkpoints first that are inserted first between pages", async () => {
  const listing = new ChangingListing(25);
  const first = pageOf(listing, 10, 0);
  listing.apply({ type: "insert", at: 0 });
  const ids = await completeIds(first, ({ limit, offset }) => of(pageOf(listing, limit, offset)));
  assertEquals(ids, ["new-0", ...Array.from({ length: 25 }, (_, index) => `run-${index}`)]);
});

Deno.test("listCheckpoints$ lists two checkpoints of different types with the same id", async () => {
  const { fake, client } = createClient({ maxCheckpointPageSize: 2 });
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
    "an offset that the server treats as a page number",
    (listing, offset) => pageOf(listing, limit, offset * limit),
  ],
];

for (const [name, fetchPage] of contradictions) {
  Deno.test(`completeCheckpoints$ fails and emits nothing for ${name}`, async () => {
    const listing = new ChangingListing(25);
    const emitted: unknown[] = [];
    let requests = 0;
    const listing$ = completeCheckpoints$(pageOf(listing, limit, 0), ({ offset }) => {
      requests++;
      return of(offset === 0 ? pageOf(listing, limit, 0) : fetchPage(listing, offset));
    });
    const error = await assertRejects(() => listing$.forEach((value) => emitted.push(value)));
    assertInstanceOf(error, InconsistentListingError);
    assertStringIncludes(error.message, "Cannot list all checkpoints");
    assertEquals(emitted, []);
    assertLess(requests, 64 * 5);
  });
}

Deno.test("completeCheckpoints$ reads pages without a cursor after a first page with one", async () => {
  const listing = new ChangingListing(25);
  const ids = await completeIds(
    pageOf(listing, limit, 0),
    ({ limit, offset }) => of({ ...pageOf(listing, limit, offset), cursor: null }),
  );
  assertEquals(ids.toSorted(), listing.idsThroughout);
});

Deno.test("completeCheckpoints$ requests pages of 100 if the cursor's limit is 0", async () => {
  const listing = new ChangingListing(25);
  const first = pageOf(listing, limit, 0);
  const limits: number[] = [];
  const cursor = { offset: 0, limit: 0, totalCount: 25 };
  const ids = await completeIds({ ...first, cursor }, (query) => {
    limits.push(query.limit);
    return of(pageOf(listing, limit, query.offset));
  });
  assertEquals(ids.length, 25);
  assertEquals(new Set(limits), new Set([100]));
});

const changes: fc.Arbitrary<ListChange> = fc.record({
  type: fc.constantFrom("insert", "insert", "delete"),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
});

Deno.test("completeCheckpoints$ lists every checkpoint that existed throughout once under random changes", async () => {
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
          completeIds(first, ({ offset }) =>
            defer(() =>
              from(
                scheduler.schedule(Promise.resolve()).then(() => {
                  schedule[requests++]?.forEach((change) => listing.apply(change));
                  return pageOf(listing, limit, offset);
                }),
              )
            )),
        );
        assertEquals(new Set(ids).size, ids.length, "no duplicates");
        assertEquals(
          ids.filter((id) => listing.idsThroughout.includes(id)).sort(),
          listing.idsThroughout,
        );
      },
    ),
    { numRuns: Number(Deno.env.get("CHANGE_SCHEDULES") ?? 300) },
  );
});
