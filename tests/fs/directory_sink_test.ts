import { assert, assertEquals, assertRejects } from "@std/assert";
import { HpcaiError, UnsafeArchiveError } from "@hpcai/rx";
import { PathExistsError } from "@hpcai/rx/fs";
import {
  type DirectoryEntry,
  type DirectorySettings,
  writeDirectory,
  type WrittenEntry,
} from "../../src/fs/directory_sink.ts";
import { inTemporaryDirectory, namesIn } from "../temporary_directory.ts";

const SETTINGS: DirectorySettings = {
  overwrite: false,
  strip: 0,
  maxEntries: 100,
  maxBytes: 1000,
};

/** A file, as from a source with a signed URL for each file. */
function file(path: string, text: string, mode = 0o644): DirectoryEntry {
  const body = new Blob([text]).stream();
  return { path, type: "file", size: text.length, mode, body };
}

function entry(path: string, type: DirectoryEntry["type"], linkTarget?: string): DirectoryEntry {
  return { path, type, size: 0, mode: 0o755, linkTarget, body: new Blob().stream() };
}

async function* sourceOf(...entries: DirectoryEntry[]): AsyncGenerator<DirectoryEntry> {
  yield* entries;
}

async function write(
  directory: string,
  entries: AsyncIterable<DirectoryEntry>,
  settings: Partial<DirectorySettings> = {},
): Promise<WrittenEntry[]> {
  const written: WrittenEntry[] = [];
  await writeDirectory(
    directory,
    entries,
    { ...SETTINGS, ...settings },
    new AbortController(),
    (entry) => written.push(entry),
  );
  return written;
}

Deno.test("writeDirectory writes files from any source", () =>
  inTemporaryDirectory(async (parent) => {
    const written = await write(
      `${parent}/model`,
      sourceOf(
        file("config.json", "{}"),
        file("weights/adapter.safetensors", "weights"),
        file("run.sh", "#!/bin/sh", 0o755),
        entry("empty", "directory"),
      ),
    );
    assertEquals(written, [
      { path: "config.json", type: "file", size: 2 },
      { path: "weights/adapter.safetensors", type: "file", size: 7 },
      { path: "run.sh", type: "file", size: 9 },
      { path: "empty", type: "directory", size: 0 },
    ]);
    assertEquals(await namesIn(`${parent}/model`), ["config.json", "empty", "run.sh", "weights"]);
    const adapter = await Deno.readTextFile(`${parent}/model/weights/adapter.safetensors`);
    assertEquals(adapter, "weights");
    assertEquals(((await Deno.stat(`${parent}/model/run.sh`)).mode ?? 0) & 0o100, 0o100);
    assertEquals(await namesIn(parent), ["model"]);
  }));

Deno.test("writeDirectory requests the next entry once the previous body is read", () =>
  inTemporaryDirectory(async (parent) => {
    const log: string[] = [];
    async function* source(): AsyncGenerator<DirectoryEntry> {
      for (const name of ["a", "b"]) {
        const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
        const writer = writable.getWriter();
        const sent = writer.write(new Uint8Array([1])).then(() => writer.close());
        yield { path: name, type: "file", size: 1, mode: 0o644, body: readable };
        await sent;
        log.push(`${name} read`);
      }
    }
    await writeDirectory(`${parent}/model`, source(), SETTINGS, new AbortController(), (entry) => {
      log.push(`${entry.path} written`);
    });
    assertEquals(log, ["a written", "a read", "b written", "b read"]);
  }));

const unsafeEntries: Record<string, readonly [DirectoryEntry, Partial<DirectorySettings>?]> = {
  "leads out of the directory": [file("../outside", "x")],
  "is absolute": [file("/outside", "x")],
  "is a device": [entry("device", "character-device")],
  "links out of the directory": [entry("link", "symlink", "../outside")],
  "has the name of another one": [file("first", "x")],
  "exceeds maxBytes": [file("large", "12345"), { maxBytes: 8 }],
  "exceeds maxEntries": [file("a/b/c/d", "x"), { maxEntries: 3 }],
};
for (const [what, [entry, settings]] of Object.entries(unsafeEntries)) {
  Deno.test(`writeDirectory refuses an entry that ${what}, and leaves nothing`, () =>
    inTemporaryDirectory(async (parent) => {
      const entries = sourceOf(file("first", "first"), entry);
      const error = await assertRejects(
        () => write(`${parent}/model`, entries, settings),
        UnsafeArchiveError,
      );
      assertEquals(error.entry, entry.path);
      assertEquals(await namesIn(parent), []);
    }));
}

for (const size of [2, 4]) {
  Deno.test(`writeDirectory fails on a body of 3 bytes whose entry announces ${size}`, () =>
    inTemporaryDirectory(async (parent) => {
      const entries = sourceOf({ ...file("config.json", "abc"), size });
      await assertRejects(() => write(`${parent}/model`, entries), HpcaiError, "3 bytes");
      assertEquals(await namesIn(parent), []);
    }));
}

Deno.test("writeDirectory keeps the old directory if its source fails", () =>
  inTemporaryDirectory(async (parent) => {
    await write(`${parent}/model`, sourceOf(file("old", "old")));
    const lost = new Error("connection lost");
    async function* source(): AsyncGenerator<DirectoryEntry> {
      yield file("new", "new");
      throw lost;
    }
    const error = await assertRejects(
      () => write(`${parent}/model`, source(), { overwrite: true }),
      Error,
    );
    assert(error === lost);
    assertEquals(await namesIn(`${parent}/model`), ["old"]);
    assertEquals(await namesIn(parent), ["model"]);
  }));

Deno.test("writeDirectory replaces a directory only with overwrite", () =>
  inTemporaryDirectory(async (parent) => {
    const directory = `${parent}/model`;
    await write(directory, sourceOf(file("old", "old")));
    await assertRejects(() => write(directory, sourceOf(file("new", "new"))), PathExistsError);
    assertEquals(await namesIn(directory), ["old"]);
    await write(directory, sourceOf(file("new", "new")), { overwrite: true });
    assertEquals(await namesIn(directory), ["new"]);
  }));

Deno.test("writeDirectory that is aborted leaves nothing", () =>
  inTemporaryDirectory(async (parent) => {
    const ending = new AbortController();
    const entries = sourceOf(file("a", "a"), file("b", "b"));
    await assertRejects(
      () => writeDirectory(`${parent}/model`, entries, SETTINGS, ending, () => ending.abort()),
      Error,
      "abort",
    );
    assertEquals(await namesIn(parent), []);
  }));
