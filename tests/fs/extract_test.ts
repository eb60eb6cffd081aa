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
import { CHECKPOINT, extract as extractBytes } from "../archives/corpus.ts";
import { inTemporaryDirectory, namesIn } from "../temporary_directory.ts";

const NAMES = [
  "README.md",
  "adapter_config.json",
  "adapter_model.safetensors",
  "special_tokens_map.json",
  "tokenizer_config.json",
];

function clientOf(fake: FakeHpcai): RestClient {
  return new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch, retry: { initialDelayMs: 1 } });
}

function extract(directory: string, options?: ExtractOptions, fake = new FakeHpcai()) {
  return lastValueFrom(
    extractArchive$(clientOf(fake), CHECKPOINT, directory, options).pipe(toArray()),
  );
}

Deno.test("extractArchive$ emits progress, an entry for each file, and `complete` once", async () => {
  await inTemporaryDirectory(async (parent) => {
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

Deno.test("extractArchive$ leaves nothing beside the directory", async () => {
  await inTemporaryDirectory(async (parent) => {
    await extract(`${parent}/a/b/target`);
    assertEquals(await namesIn(`${parent}/a/b/target`), NAMES);
    assertEquals(await namesIn(`${parent}/a/b`), ["target"]);
  });
});

Deno.test("extractArchive$ resumes after a lost connection", async () => {
  await inTemporaryDirectory(async (parent) => {
    const fake = new FakeHpcai();
    fake.faults.add({ type: "cut", afterBytes: 500_000 });
    await extract(`${parent}/target`, {}, fake);
    assertEquals(fake.requests.length, 2);
    assertEquals(await namesIn(`${parent}/target`), NAMES);
  });
});

Deno.test("extractArchive$ rejects a directory that exists before any request", async () => {
  await inTemporaryDirectory(async (parent) => {
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

Deno.test("extractArchive$ with overwrite replaces the directory and its files", async () => {
  await inTemporaryDirectory(async (parent) => {
    await Deno.mkdir(`${parent}/target`);
    await Deno.writeTextFile(`${parent}/target/old`, "old");
    await extract(`${parent}/target`, { overwrite: true });
    assertEquals(await namesIn(`${parent}/target`), NAMES);
    assertEquals(await namesIn(parent), ["target"]);
  });
});

Deno.test("extractArchive$ with overwrite that fails keeps the directory", async () => {
  await inTemporaryDirectory(async (parent) => {
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

Deno.test("extractArchive$ leaves out the entries that filter rejects", async () => {
  await inTemporaryDirectory(async (parent) => {
    await extract(`${parent}/target`, { filter: ({ path }) => path.endsWith(".json") });
    assertEquals(await namesIn(`${parent}/target`), NAMES.filter((name) => name.endsWith(".json")));
  });
});

Deno.test("extractArchive$ with strip leaves out entries without further segments", async () => {
  await inTemporaryDirectory(async (parent) => {
    await extract(`${parent}/target`, { strip: 1 });
    assertEquals(await namesIn(`${parent}/target`), []);
  });
});

Deno.test("extractArchive$ refuses more bytes than maxBytes, and leaves nothing", async () => {
  await inTemporaryDirectory(async (parent) => {
    const error = await assertRejects(
      () => extract(`${parent}/target`, { maxBytes: 1000 }),
      UnsafeArchiveError,
    );
    assertEquals(error.entry, "adapter_model.safetensors");
    assertEquals(await namesIn(parent), []);
  });
});

Deno.test("extractArchive$ counts directories that are only segments of a name for maxEntries", async () => {
  await inTemporaryDirectory(async (parent) => {
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

Deno.test("extractArchive$ that is unsubscribed removes what was written", async () => {
  await inTemporaryDirectory(async (parent) => {
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

Deno.test("extractArchive$ of a checkpoint that does not exist leaves nothing, not even parent directories", async () => {
  await inTemporaryDirectory(async (parent) => {
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

Deno.test("extractArchive$ that fails leaves nothing", async () => {
  await inTemporaryDirectory(async (parent) => {
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

Deno.test("extractArchive$ reports the directory if the file system fails", async () => {
  await inTemporaryDirectory(async (parent) => {
    await Deno.writeTextFile(`${parent}/file`, "");
    const error = await assertRejects(() => extract(`${parent}/file/target`), HpcaiError);
    assertStringIncludes(error.message, `${parent}/file/target`);
    assertEquals(await namesIn(parent), ["file"]);
  });
});

Deno.test("extractArchive$ rejects a directory that is not a path, and a filter that is not a function", async () => {
  await inTemporaryDirectory(async (parent) => {
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

for (
  const options of [
    { strip: -1 },
    { maxEntries: 1.5 },
    { maxBytes: NaN },
    { maxRatio: 0 },
    { overwrite: "false" as never },
  ]
) {
  const [name] = Object.keys(options);
  Deno.test(`extractArchive$ rejects an invalid ${name}`, async () => {
    await inTemporaryDirectory(async (parent) => {
      const error = await assertRejects(
        () => extract(`${parent}/target`, options),
        InvalidArgumentError,
      );
      assertEquals(error.argument, name);
    });
  });
}
