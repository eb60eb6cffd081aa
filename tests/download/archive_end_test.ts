import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { FakeHpcai } from "@hpcai/rx/testing";
import { gunzipSync, gzipSync } from "node:zlib";
import { type ArchiveEnd, archiveEnd } from "../../src/download/archive_end.ts";
import { decompressionStream } from "../../src/download/decompress.ts";
import { InvalidArchiveError } from "../../src/errors.ts";
import { withCorpus } from "../archives/with_corpus.ts";
import { namesIn } from "../temporary_directory.ts";

/** The archives of the corpus that lack bytes of an entry, or the end. */
const ENDLESS = ["size-absurd", "no-end", "cut-in-a-file", "cut-in-a-header", "nine-gib-missing"];
const TRUNCATED_GZIP = ["gzip-cut"];
/** How often each archive is truncated: large ones take long to decompress. */
const CUTS = 60;
const CUTS_OF_LARGE = 4;
const LARGE = ["bomb", "bomb-after-the-end", "too-many-entries"];

/** Writes an archive in chunks, of a buffer that is overwritten after each. */
async function feed(end: ArchiveEnd, bytes: Uint8Array, chunkBytes = 16_384): Promise<boolean> {
  const buffer = new Uint8Array(chunkBytes);
  for (let offset = 0; offset < bytes.byteLength; offset += chunkBytes) {
    const chunk = bytes.subarray(offset, offset + chunkBytes);
    buffer.set(chunk);
    await end.write(buffer.subarray(0, chunk.byteLength));
    buffer.fill(0xff);
  }
  return await end.close();
}

/** The outcome of an archive. */
async function outcomeOf(bytes: Uint8Array, chunkBytes?: number): Promise<boolean | string> {
  try {
    return await feed(archiveEnd(), bytes, chunkBytes);
  } catch (error) {
    return error instanceof Error ? error.name : "not an error";
  }
}

/** The number of bytes after which a tar is complete, as GNU tar reports it. */
async function endOfTar(path: string): Promise<number> {
  const tar = new Deno.Command("tar", { args: ["--block-number", "-tf", path] });
  const listing = new TextDecoder().decode((await tar.output()).stdout);
  const block = /^block (\d+): \*\* Block of NULs \*\*$/m.exec(listing)?.[1];
  assert(block !== undefined, listing);
  return (Number(block) + 1) * 512;
}

/** The number of bytes after which an archive is complete. */
async function endOf(path: string, bytes: Uint8Array): Promise<number> {
  if (path.endsWith(".tar")) return await endOfTar(path);
  if (path.includes("zeros-after-the-gzip")) return bytes.byteLength - 5000;
  // The last member has only zeros after the end of the tar.
  if (path.includes("several-gzip-members")) {
    return new TextDecoder("latin1").decode(bytes).lastIndexOf("\x1f\x8b\b");
  }
  return bytes.byteLength;
}

Deno.test("archiveEnd reports each archive of the corpus as complete at its last byte, and not before", async (t) => {
  await withCorpus(async (root) => {
    for (const kind of ["odd", "hostile"]) {
      for (const file of await namesIn(`${root}/${kind}`)) {
        // All zeros, which has a test of its own below.
        if (file === "empty.tar") continue;
        await t.step(file, async () => {
          const path = `${root}/${kind}/${file}`;
          const bytes = await Deno.readFile(path);
          const [name = ""] = file.split(".");
          const isComplete = !ENDLESS.includes(name);
          const end = await endOf(path, bytes);
          assertEquals(await outcomeOf(bytes), isComplete);
          assertEquals(await outcomeOf(bytes, 1 + Math.floor(Math.random() * 4096)), isComplete);
          const cuts = Array.from(
            { length: LARGE.includes(name) ? CUTS_OF_LARGE : CUTS },
            () => Math.floor(Math.random() * end),
          );
          const isTar = file.endsWith(".tar");
          for (const cut of [0, 1, 2, 9, 17, end - 8, end - 1, ...cuts]) {
            // The first bytes of a tar are only a name, which may be anything.
            if (isTar && cut > 0 && cut <= 100) continue;
            assertEquals(await outcomeOf(bytes.subarray(0, cut), 4099), false, `cut at ${cut}`);
          }
        });
      }
    }
    for (const file of await namesIn(`${root}/broken`)) {
      await t.step(file, async () => {
        const [name = ""] = file.split(".");
        const isTruncated = ENDLESS.includes(name) || TRUNCATED_GZIP.includes(name);
        const expected = isTruncated ? false : "InvalidArchiveError";
        const bytes = await Deno.readFile(`${root}/broken/${file}`);
        assertEquals(await outcomeOf(bytes), expected);
        assertEquals(await outcomeOf(bytes, 1 + Math.floor(Math.random() * 300)), expected);
      });
    }
  });
});

for (
  const [what, bytes, expected] of [
    ["a tar of zeros", "\0".repeat(10_240), "InvalidArchiveError"],
    ["nothing", "", false],
    ["the first byte of a gzip", "\x1f", false],
    ["any other byte", "a", "InvalidArchiveError"],
    ["a short text", '{"error":"no such checkpoint"}', "InvalidArchiveError"],
    ["a page", `<!doctype html>${"<p>not found</p>".repeat(8)}`, "InvalidArchiveError"],
    ["a long text", "no archive ".repeat(100), "InvalidArchiveError"],
    ["the beginning of a tar's header", "a".padEnd(100, "\0") + "0000644\0", false],
    ["a gzip of something else", gzipSync("something else"), "InvalidArchiveError"],
    ["a gzip of nothing", gzipSync(""), false],
  ] as const
) {
  for (const chunkBytes of [1, 1000]) {
    Deno.test(`archiveEnd has the outcome ${expected} for ${what} in chunks of ${chunkBytes} bytes`, async () => {
      const archive = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
      assertEquals(await outcomeOf(archive, chunkBytes), expected);
    });
  }
}

Deno.test("archiveEnd rejects a write of bytes that cannot be an archive", async () => {
  const end = archiveEnd();
  await assertRejects(
    () => end.write(new TextEncoder().encode("<p>not found</p>".repeat(8))),
    InvalidArchiveError,
  );
});

Deno.test("archiveEnd rejects a write after a gzip without a tar, with the reason", async () => {
  const end = archiveEnd();
  // Without a trailer, so that the decompressor waits for more.
  const bytes = gzipSync("no archive ".repeat(10_000)).subarray(0, -8);
  const error = await assertRejects(async () => {
    while (true) await end.write(bytes);
  }, InvalidArchiveError);
  assertStringIncludes(error.message, "neither gzip nor tar");
});

Deno.test("archiveEnd releases its decompressor when it is aborted before, during and after the bytes", async () => {
  const archive = gzipSync(new Uint8Array(2 ** 20));
  archiveEnd().abort();
  const idle = archiveEnd();
  await idle.write(archive.subarray(0, 500));
  idle.abort();
  const busy = archiveEnd();
  const write = busy.write(archive);
  busy.abort();
  await write;
  const done = archiveEnd();
  assertEquals(await feed(done, archive), true);
  done.abort();
});

for (
  const [what, decompressor] of [
    ["zlib", undefined],
    ["a DecompressionStream", decompressionStream],
  ] as const
) {
  Deno.test(`archiveEnd distinguishes a truncated gzip from a corrupt one with ${what}`, async () => {
    const fake = new FakeHpcai({ archiveBytes: 200_000 });
    const tar = gunzipSync(
      fake.archive("eb78693b-380d-40f8-a709-ffe0da185718", "step_0010").slice(0),
    );
    const archive = gzipSync(tar);
    assertEquals(await feed(archiveEnd(decompressor), archive), true);
    for (const cut of [2, 11, 1000, archive.length - 8, archive.length - 1]) {
      assertEquals(await feed(archiveEnd(decompressor), archive.subarray(0, cut)), false);
    }
    const corrupt = new Uint8Array(archive);
    // A block of a type that does not exist.
    corrupt[10] = 7;
    await assertRejects(() => feed(archiveEnd(decompressor), corrupt), InvalidArchiveError);
  });
}
