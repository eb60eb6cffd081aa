import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { lastValueFrom, mergeMap, toArray } from "rxjs";
import { gunzipSync, gzipSync } from "node:zlib";
import { archiveEnd } from "../../src/download/archive_end.ts";
import { HpcaiError, InvalidArchiveError } from "../../src/errors.ts";
import { namesIn } from "../temporary_directory.ts";
import { CHECKPOINT, clientOf, extract } from "./corpus.ts";
import { withCorpus } from "./with_corpus.ts";

/** The number of damaged archives. */
const RUNS = Number(Deno.env.get("DAMAGED_ARCHIVES") ?? 400);
const EXTRACTIONS = Math.ceil(RUNS / 8);
const MAX_TAR_BYTES = 20_000;
const TIMEOUT_MS = 5_000;
const SEED = Number(Deno.env.get("DAMAGED_ARCHIVES_SEED") ?? Date.now());

/** The kinds of damage, each at a place between the first and the last byte. */
type Damage =
  | { readonly type: "cut"; readonly at: number }
  | { readonly type: "set"; readonly at: number; readonly byte: number }
  | { readonly type: "remove"; readonly at: number; readonly byteLength: number }
  | { readonly type: "insert"; readonly at: number; readonly bytes: Uint8Array }
  /** A header with another value in a field. */
  | { readonly type: "field"; readonly at: number; readonly field: number; readonly text: string };

const place = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ type: fc.constant("cut" as const), at: place }),
  fc.record({ type: fc.constant("set" as const), at: place, byte: fc.nat(255) }),
  fc.record({
    type: fc.constant("remove" as const),
    at: place,
    byteLength: fc.integer({ min: 1, max: 600 }),
  }),
  fc.record({
    type: fc.constant("insert" as const),
    at: place,
    bytes: fc.uint8Array({ minLength: 1, maxLength: 600 }),
  }),
  fc.record({
    type: fc.constant("field" as const),
    at: place,
    field: fc.constantFrom(0, 100, 124, 136, 156, 157, 257, 345, 512),
    text: fc.oneof(
      fc.constantFrom(
        "77777777777",
        "00000000000",
        "00000001000",
        "\xff\xff\xff\xff",
        "\x80",
        "g",
        "x",
        "L",
        "K",
        "S",
        "1",
        "2",
        "5",
        "\0",
      ),
      fc.constantFrom(
        "../a\0",
        "/\0",
        "30 path=caf\xe9\n",
        "12 size=999\n",
        "9999999 a=b\n",
        " ",
        "0 a=b\n",
      ),
    ),
  }),
);

function latin1Bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Writes the checksum of a header, so that its other fields are read. */
function writeChecksum(header: Uint8Array): void {
  header.set(latin1Bytes(" ".repeat(8)), 148);
  const sum = header.reduce((sum, byte) => sum + byte, 0);
  header.set(latin1Bytes(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
}

function applyDamage(bytes: Uint8Array, damage: Damage): Uint8Array<ArrayBuffer> {
  const at = Math.floor(damage.at * bytes.byteLength);
  const splice = (removed: number, inserted: Uint8Array) =>
    new Uint8Array([...bytes.subarray(0, at), ...inserted, ...bytes.subarray(at + removed)]);
  switch (damage.type) {
    case "cut":
      return bytes.slice(0, at);
    case "set":
      return splice(1, Uint8Array.of(damage.byte));
    case "remove":
      return splice(damage.byteLength, new Uint8Array());
    case "insert":
      return splice(0, damage.bytes);
    case "field": {
      const copy = new Uint8Array(bytes);
      const block = Math.floor(at / 512) * 512;
      const place = copy.subarray(block + damage.field);
      place.set(latin1Bytes(damage.text).subarray(0, place.byteLength));
      if (block + 512 <= copy.byteLength) writeChecksum(copy.subarray(block, block + 512));
      return copy;
    }
  }
}

/** The outcome of a promise that must settle: its value, or the name of an HpcaiError. */
async function outcome<T>(run: () => Promise<T>): Promise<T | HpcaiError> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not settled after ${TIMEOUT_MS} ms`)), TIMEOUT_MS);
  });
  try {
    return await Promise.race([run(), timeout]);
  } catch (error) {
    if (error instanceof HpcaiError) return error;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** The entries of an archive; every third body as text, the others cancelled or skipped. */
function entriesOf(archive: Uint8Array<ArrayBuffer>, chunkBytes: number) {
  let index = 0;
  return outcome(() =>
    lastValueFrom(
      clientOf(archive, chunkBytes).archiveEntries$(CHECKPOINT).pipe(
        mergeMap(async ({ body, ...header }) => {
          const turn = index++ % 3;
          if (turn === 1) await body.cancel();
          return { ...header, text: turn === 0 ? await new Response(body).text() : "" };
        }),
        toArray(),
      ),
      { defaultValue: [] },
    )
  );
}

async function isComplete(archive: Uint8Array, chunkBytes: number): Promise<boolean | HpcaiError> {
  const end = archiveEnd();
  return await outcome(async () => {
    for (let offset = 0; offset < archive.byteLength; offset += chunkBytes) {
      await end.write(archive.subarray(offset, offset + chunkBytes));
    }
    return await end.close();
  });
}

/** The small archives of the corpus as tar. */
async function smallTars(root: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const tars = new Map<string, Uint8Array>();
  for (const kind of ["odd", "hostile", "broken"]) {
    for (const file of await namesIn(`${root}/${kind}`)) {
      // These decompress to many bytes.
      if (/bomb|too-many|too-long|gzip-|cut-/.test(file)) continue;
      const bytes = await Deno.readFile(`${root}/${kind}/${file}`);
      const tar = file.endsWith(".tar")
        ? bytes
        : gunzipSync(file.startsWith("garbage-after-the-gzip") ? bytes.subarray(0, -7) : bytes);
      if (tar.byteLength <= MAX_TAR_BYTES) tars.set(file, new Uint8Array(tar));
    }
  }
  assert(tars.size > 20);
  return tars;
}

Deno.test("archiveEntries$ and extractArchive$ read a damaged archive correctly, or fail with an HpcaiError", async (t) => {
  await withCorpus(async (root) => {
    const tars = await smallTars(root);
    // By name, since fast-check prints the counterexample.
    const file = fc.constantFrom(...tars.keys());
    const tarOf = (file: string): Uint8Array => tars.get(file) ?? new Uint8Array();
    const chunkBytes = fc.constantFrom(1, 7, 511, 512, 513, 4096);

    await t.step("a damaged gzip is never read as another archive", async () => {
      await fc.assert(
        fc.asyncProperty(
          file,
          damage,
          chunkBytes,
          async (file, damage, chunkBytes) => {
            const archive = new Uint8Array(gzipSync(tarOf(file)));
            const damaged = applyDamage(archive, damage);
            const entries = await entriesOf(damaged, chunkBytes);
            if (!(entries instanceof HpcaiError)) {
              assertEquals(entries, await entriesOf(archive, 4096));
            }
            const completeness = await isComplete(damaged, chunkBytes);
            if (!(entries instanceof HpcaiError)) {
              assertEquals(completeness, true);
            }
            // A complete archive may have unsupported entries, but its gzip is valid.
            if (completeness === true) {
              assert(!(entries instanceof InvalidArchiveError && /gzip/.test(entries.message)));
            }
          },
        ),
        { numRuns: RUNS, seed: SEED },
      );
    });

    await t.step("a damaged tar ends in entries or in an HpcaiError", async () => {
      await fc.assert(
        fc.asyncProperty(
          file,
          fc.array(damage, { minLength: 1, maxLength: 3 }),
          chunkBytes,
          async (file, damages, chunkBytes) => {
            const damaged = damages.reduce<Uint8Array<ArrayBuffer>>(
              applyDamage,
              tarOf(file).slice(),
            );
            const entries = await entriesOf(damaged, chunkBytes);
            // The size of the chunks makes no difference.
            const others = await entriesOf(damaged, 4096);
            if (entries instanceof HpcaiError) assertEquals(`${others}`, `${entries}`);
            else assertEquals(others, entries);
            // archiveEnd rejects a tar that begins with its end.
            if (!(entries instanceof HpcaiError) && damaged[0] !== 0) {
              assertEquals(await isComplete(damaged, chunkBytes), true);
            }
          },
        ),
        { numRuns: RUNS, seed: SEED },
      );
    });

    await t.step("a damaged archive is extracted, or leaves nothing", async () => {
      await fc.assert(
        fc.asyncProperty(file, damage, async (file, damage) => {
          const parent = await Deno.makeTempDir({ dir: root });
          const extraction = await outcome(() =>
            // Deno creates links only with the permission to write everywhere.
            extract(applyDamage(tarOf(file), damage), `${parent}/a/target`, {
              filter: ({ type }) => type !== "symlink",
            })
          );
          const isExtracted = !(extraction instanceof HpcaiError);
          const names = await namesIn(parent);
          if (isExtracted) assertEquals(await namesIn(`${parent}/a`), ["target"]);
          else if (names.length > 0) assertEquals(await namesIn(`${parent}/a`), []);
        }),
        { numRuns: EXTRACTIONS, seed: SEED },
      );
    });
  });
});
