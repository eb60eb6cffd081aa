import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { namesIn } from "../temporary_directory.ts";
import { extractInChild, extractionOutcome, treeOf } from "./corpus.ts";
import { run, withCorpus } from "./with_corpus.ts";

/** Archives with a symbolic link. */
const LINKING = [
  "links",
  "symlink-inside-then-through",
  "symlink-overwritten",
  "link-chain",
  "hardlink-to-symlink",
];

/** The reason for each refusal. */
const REASONS: Readonly<Record<string, RegExp>> = {
  "absolute": /name is absolute/,
  "absolute-directory": /name is absolute/,
  "backslashes": /name contains a backslash/,
  "block-device": /is a block-device/,
  "bomb": /more than 100 times its size/,
  "bomb-after-the-end": /more than 100 times its size/,
  "character-device": /is a character-device/,
  "directory-becomes-file": /name is that of another entry/,
  "dot-dot": /name leads out/,
  "dot-dot-inside": /name leads out/,
  "drive": /name contains a drive letter/,
  "drive-with-backslash": /name contains a backslash/,
  "duplicate": /name is that of another entry/,
  "duplicate-by-dots": /name is that of another entry/,
  "fifo": /is a fifo/,
  "file-becomes-parent": /through the file a/,
  "hardlink-absolute": /target is absolute/,
  "hardlink-outside": /target leads out/,
  "hardlink-to-nothing": /is not a file of an earlier entry/,
  "hardlink-to-symlink": /is not a file of an earlier entry/,
  "link-chain": /target leads out/,
  "nul": /name contains NUL/,
  "root-symlink": /name is absolute/,
  "size-absurd": /more than 1099511627776 bytes/,
  "sparse-by-tar-gnu": /sparse file/,
  "sparse-by-tar-pax": /sparse file/,
  "sparse-gnu": /sparse file/,
  "sparse-pax": /sparse file/,
  "symlink-absolute": /target is absolute/,
  "symlink-inside-then-through": /through the symlink s/,
  "symlink-outside": /outside of the directory/,
  "symlink-overwritten": /name is that of another entry/,
  "symlink-replaces-directory": /name is that of another entry/,
  "symlink-then-through": /outside of the directory/,
  "too-many-entries": /more than 100000 entries/,
  "unknown-type": /unknown type "M"/,
};

function reasonOf(name: string): RegExp {
  if (name.startsWith("latin-1-")) return /its (name|target) is not UTF-8/;
  return REASONS[name] ?? /^no reason is expected/;
}

const EXTENSION = /\.tar(\.gz)?$/;

/** Extracts an archive into a new directory, and checks the names in its parent. */
async function extractAlone(archivePath: string, parent: string) {
  await Deno.mkdir(parent);
  await Deno.writeTextFile(`${parent}/outside`, "unchanged");
  const name = archivePath.split("/").at(-1)?.replace(EXTENSION, "") ?? "";
  const extraction = LINKING.includes(name) ? extractInChild : extractionOutcome;
  const { error } = await extraction(archivePath, `${parent}/target`);
  assertEquals(await Deno.readTextFile(`${parent}/outside`), "unchanged");
  return { name, error };
}

Deno.test("extractArchive$ extracts archives of real programs as GNU tar does, or refuses them", async (t) => {
  await withCorpus(async (root) => {
    const atStart = await namesIn(root);
    for (const file of await namesIn(`${root}/odd`)) {
      await t.step(`${file} is extracted as GNU tar extracts it`, async () => {
        const parent = `${root}/extracted-${file}`;
        const { error } = await extractAlone(`${root}/odd/${file}`, parent);
        assertEquals(error, undefined);
        const reference = `${parent}/reference`;
        await Deno.mkdir(reference);
        await run("tar", "-xf", `${root}/odd/${file}`, "-C", reference);
        assertEquals(await treeOf(`${parent}/target`), await treeOf(reference));
        assertEquals(await namesIn(parent), ["outside", "reference", "target"]);
        await Deno.remove(parent, { recursive: true });
      });
    }
    for (const file of await namesIn(`${root}/hostile`)) {
      await t.step(`${file} is refused, and nothing is written`, async () => {
        const parent = `${root}/refused-${file}`;
        const { name, error } = await extractAlone(`${root}/hostile/${file}`, parent);
        assertEquals(error?.name, "UnsafeArchiveError");
        assertMatch(error?.message ?? "", reasonOf(name));
        assertNotEquals(error?.entry, "");
        assertEquals(await namesIn(parent), ["outside"]);
        await Deno.remove(parent, { recursive: true });
        assertEquals(await namesIn(root), atStart);
      });
    }
    for (const file of await namesIn(`${root}/broken`)) {
      await t.step(`${file} is reported as invalid, and nothing is written`, async () => {
        const parent = `${root}/broken-${file}`;
        const { error } = await extractAlone(`${root}/broken/${file}`, parent);
        assertEquals(error?.name, "InvalidArchiveError");
        assertEquals(await namesIn(parent), ["outside"]);
        await Deno.remove(parent, { recursive: true });
      });
    }
  });
});
