import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { RestClient } from "@hpcai/rx";
import { extractArchive$, type ExtractOptions } from "@hpcai/rx/fs";
import { FakeHpcai } from "@hpcai/rx/testing";
import { lastValueFrom, toArray } from "rxjs";
import {
  ApiConnectionError,
  HpcaiError,
  InvalidArgumentError,
  NotFoundError,
  UnsafeArchiveError,
} from "../../src/errors.ts";
import { CHECKPOINT, extract as extractBytes, namesIn } from "../archives/corpus.ts";

const NAMES = [
  "README.md",
  "adapter_config.json",
  "adapter_model.safetensors",
  "special_tokens_map.json",
  "tokenizer_config.json",
];

/** Runs a test in a directory of its own. */
async function inDirectory(test: (parent: string) => Promise<void>): Promise<void> {
  const parent = await Deno.makeTempDir();
  try {
    await test(parent);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
}

function clientOf(fake: FakeHpcai): RestClient {
  return new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch, retry: { initialDelayMs: 1 } });
}

function extract(directory: string, options?: ExtractOptions, fake = new FakeHpcai()) {
  return lastValueFrom(
    extractArchive$(clientOf(fake), CHECKPOINT, directory, options).pipe(toArray()),
  );
}

Deno.test("an extraction emits progress, an entry for each file, and once that it is complete", async () => {
  await inDirectory(async (parent) => {
    const events = await extract(`${parent}/target`, { progressIntervalMs: 0 });
    assertEquals(events[0]?.type, "progress");
    assertEquals(
      events.flatMap((event) => event.type === "entry" ? [event.path] : []).sort(),
      NAMES,
    );
    const last = events.at(-1);
    assert(last?.type === "complete");
    assertEquals(last.entries, NAMES.length);
    assertEquals(last.directory, `${parent}/target`);
    assertEquals(
      last.bytes,
      events.reduce((sum, event) => event.type === "entry" ? sum + event.size : sum, 0),
    );
  });
});

Deno.test("the files are there, and nothing is left beside them", async () => {
  await inDirectory(async (parent) => {
    await extract(`${parent}/a/b/target`);
    assertEquals(await namesIn(`${parent}/a/b/target`), NAMES);
    assertEquals(await namesIn(`${parent}/a/b`), ["target"]);
  });
});

Deno.test("an extraction goes on where the connection was cut", async () => {
  await inDirectory(async (parent) => {
    const fake = new FakeHpcai();
    fake.faults.add({ type: "cut", afterBytes: 500_000 });
    await extract(`${parent}/target`, {}, fake);
    assertEquals(fake.requests.length, 2);
    assertEquals(await namesIn(`${parent}/target`), NAMES);
  });
});

Deno.test("a directory that exists is refused before any request", async () => {
  await inDirectory(async (parent) => {
    const fake = new FakeHpcai();
    await Deno.mkdir(`${parent}/target`);
    const error = await assertRejects(
      () => extract(`${parent}/target`, {}, fake),
      InvalidArgumentError,
    );
    assertStringIncludes(error.message, "overwrite");
    assertEquals(fake.requests.length, 0);
  });
});

Deno.test("`overwrite` replaces the directory, old files and all", async () => {
  await inDirectory(async (parent) => {
    await Deno.mkdir(`${parent}/target`);
    await Deno.writeTextFile(`${parent}/target/old`, "old");
    await extract(`${parent}/target`, { overwrite: true });
    assertEquals(await namesIn(`${parent}/target`), NAMES);
    assertEquals(await namesIn(parent), ["target"]);
  });
});

Deno.test("an `overwrite` that fails leaves the directory as it was", async () => {
  await inDirectory(async (parent) => {
    await Deno.mkdir(`${parent}/target`);
    await Deno.writeTextFile(`${parent}/target/old`, "old");
    await assertRejects(
      () => extract(`${parent}/target`, { overwrite: true, maxEntries: 2 }),
      UnsafeArchiveError,
    );
    assertEquals(await namesIn(`${parent}/target`), ["old"]);
    assertEquals(await namesIn(parent), ["target"]);
  });
});

Deno.test("`filter` leaves entries out", async () => {
  await inDirectory(async (parent) => {
    await extract(`${parent}/target`, { filter: ({ path }) => path.endsWith(".json") });
    assertEquals(await namesIn(`${parent}/target`), NAMES.filter((name) => name.endsWith(".json")));
  });
});

Deno.test("`strip` takes parts off the front, and leaves out what has no more", async () => {
  await inDirectory(async (parent) => {
    await extract(`${parent}/target`, { strip: 1 });
    assertEquals(await namesIn(`${parent}/target`), []);
  });
});

Deno.test("more bytes than `maxBytes` are refused, and nothing is left", async () => {
  await inDirectory(async (parent) => {
    const error = await assertRejects(
      () => extract(`${parent}/target`, { maxBytes: 1000 }),
      UnsafeArchiveError,
    );
    assertEquals(error.entry, "adapter_model.safetensors");
    assertEquals(await namesIn(parent), []);
  });
});

Deno.test("directories that are only parts of a name count for `maxEntries`", async () => {
  await inDirectory(async (parent) => {
    const path = "d/".repeat(30);
    await Deno.mkdir(`${parent}/source/${path}`, { recursive: true });
    await Deno.writeTextFile(`${parent}/source/${path}a`, "");
    const args = ["-C", `${parent}/source`, "-cf", "-", `${path}a`];
    const { stdout } = await new Deno.Command("tar", { args }).output();
    await assertRejects(
      () => extractBytes(new Uint8Array(stdout), `${parent}/target`, { maxEntries: 20 }),
      UnsafeArchiveError,
    );
    assertEquals(await namesIn(parent), ["source"]);
  });
});

Deno.test("unsubscribing removes what was written", async () => {
  await inDirectory(async (parent) => {
    const fake = new FakeHpcai({ archiveBytes: 64 * 2 ** 20 });
    await new Promise<void>((resolve) => {
      const subscription = extractArchive$(clientOf(fake), CHECKPOINT, `${parent}/target`)
        .subscribe(({ type }) => {
          if (type !== "entry") return;
          subscription.unsubscribe();
          resolve();
        });
    });
    while ((await namesIn(parent)).length > 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });
});

Deno.test("a checkpoint that does not exist leaves nothing, not even the parent directories", async () => {
  await inDirectory(async (parent) => {
    await assertRejects(
      () =>
        lastValueFrom(
          extractArchive$(
            clientOf(new FakeHpcai()),
            CHECKPOINT.replace("0010", "9999"),
            `${parent}/a/target`,
          ),
        ),
      NotFoundError,
    );
    assertEquals(await namesIn(parent), []);
  });
});

Deno.test("a transfer that fails for good leaves nothing", async () => {
  await inDirectory(async (parent) => {
    const fake = new FakeHpcai();
    fake.faults.add({ type: "cut", afterBytes: 500_000 });
    const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch, retry: false });
    const error = await assertRejects(
      () => lastValueFrom(extractArchive$(client, CHECKPOINT, `${parent}/target`)),
      HpcaiError,
    );
    assert(error.name === "DownloadInterruptedError" || error instanceof ApiConnectionError);
    assertEquals(await namesIn(parent), []);
  });
});

Deno.test("a file system that fails is named in the error", async () => {
  await inDirectory(async (parent) => {
    await Deno.writeTextFile(`${parent}/file`, "");
    const error = await assertRejects(() => extract(`${parent}/file/target`), HpcaiError);
    assertStringIncludes(error.message, `${parent}/file/target`);
    assertEquals(await namesIn(parent), ["file"]);
  });
});

Deno.test("a directory has to be a path, a filter a function", async () => {
  await inDirectory(async (parent) => {
    for (const directory of ["", "a\0b", 7 as never]) {
      const error = await assertRejects(() => extract(directory), InvalidArgumentError);
      assertEquals(error.argument, "directory");
    }
    const options = { filter: 5 as never };
    const error = await assertRejects(
      () => extract(`${parent}/target`, options),
      InvalidArgumentError,
    );
    assertEquals(error.argument, "filter");
  });
});

for (const options of [{ strip: -1 }, { maxEntries: 1.5 }, { maxBytes: NaN }, { maxRatio: 0 }]) {
  const [name] = Object.keys(options);
  Deno.test(`${name} has to be a number that makes sense`, async () => {
    await inDirectory(async (parent) => {
      const error = await assertRejects(
        () => extract(`${parent}/target`, options),
        InvalidArgumentError,
      );
      assertEquals(error.argument, name);
    });
  });
}
