import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { gzipSync } from "node:zlib";
import { concatMap, firstValueFrom, lastValueFrom, mergeMap, toArray } from "rxjs";
import {
  type ArchiveEntry,
  ArchiveEntryNotFoundError,
  HpcaiError,
  InvalidArchiveError,
  InvalidArgumentError,
  NotFoundError,
  RestClient,
  UnsafeArchiveError,
} from "@hpcai/rx";
import { FakeHpcai } from "@hpcai/rx/testing";
import { CHECKPOINT, clientOf } from "./corpus.ts";

const NAMES = [
  "README.md",
  "adapter_config.json",
  "special_tokens_map.json",
  "tokenizer_config.json",
  "adapter_model.safetensors",
];

function fakeOf(options: ConstructorParameters<typeof FakeHpcai>[0] = {}) {
  const fake = new FakeHpcai(options);
  return { fake, client: new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch, retry: false }) };
}

function textOf({ body }: ArchiveEntry): Promise<string> {
  return new Response(body).text();
}

/** An archive of one file, made by GNU tar. */
async function tarOf(name: string, text: string): Promise<Uint8Array<ArrayBuffer>> {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${directory}/${name}`, text);
    const tar = new Deno.Command("tar", { args: ["-C", directory, "-cf", "-", `./${name}`] });
    return new Uint8Array((await tar.output()).stdout);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("archiveEntries$ emits the entries in the order of the archive, even if no body is read", async () => {
  const entries = await lastValueFrom(fakeOf().client.archiveEntries$(CHECKPOINT).pipe(toArray()));
  assertEquals(entries.map(({ path }) => path), NAMES);
  assertEquals(entries.map(({ type }) => type), NAMES.map(() => "file"));
});

Deno.test("archiveEntries$ emits bodies of the sizes in their headers, read one after the other", async () => {
  const lengths = await lastValueFrom(
    fakeOf().client.archiveEntries$(CHECKPOINT).pipe(
      concatMap(async ({ size, body }) => [
        size,
        (await new Response(body).arrayBuffer()).byteLength,
      ]),
      toArray(),
    ),
  );
  assertEquals(lengths.map(([size]) => size), lengths.map(([, length]) => length));
});

Deno.test("archiveEntries$ emits a large body in full after bodies that were skipped", async () => {
  const file = "adapter_model.safetensors";
  const bytes = await firstValueFrom(fakeOf().client.readArchiveEntry$(CHECKPOINT, file));
  assert(bytes.length > 2 ** 19);
});

Deno.test("archiveEntries$ emits the next entry only when the body before is read", async () => {
  const notes: string[] = [];
  await lastValueFrom(
    fakeOf().client.archiveEntries$(CHECKPOINT).pipe(
      // mergeMap does not wait for the previous body.
      mergeMap(({ path, body }) => {
        notes.push(path);
        const close = () => void notes.push(`read ${path}`);
        return body.pipeTo(new WritableStream({ close }));
      }),
    ),
  );
  assertEquals(notes, NAMES.flatMap((name) => [name, `read ${name}`]));
});

Deno.test("archiveEntries$ skips the rest of a body that is cancelled", async () => {
  const paths = await lastValueFrom(
    fakeOf().client.archiveEntries$(CHECKPOINT).pipe(
      concatMap(async ({ path, body }) => {
        await body.cancel();
        return path;
      }),
      toArray(),
    ),
  );
  assertEquals(paths, NAMES);
});

Deno.test("archiveEntries$ aborts the transfer when it is unsubscribed", async () => {
  const archive = await tarOf("a.txt", "hello".repeat(10_000));
  let isCancelled = false;
  const client = new RestClient({
    apiKey: "sk-secret",
    fetch: () => {
      const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
        start: (controller) => controller.enqueue(archive.slice(0, 20_000)),
        cancel: () => {
          isCancelled = true;
        },
      });
      return Promise.resolve(new Response(body));
    },
  });
  const entry = await firstValueFrom(client.archiveEntries$(CHECKPOINT));
  assertEquals(entry.path, "./a.txt");
  assertEquals(isCancelled, true);
});

Deno.test("readArchiveEntry$ reads a file of an archive of 2 GiB and transfers only its beginning", async () => {
  const { fake } = fakeOf({ archiveBytes: 2 * 2 ** 30 });
  let sent = 0;
  const client = new RestClient({
    apiKey: fake.apiKey,
    fetch: async (input, init) => {
      const response = await fake.fetch(input, init);
      const counted = response.body?.pipeThrough(
        new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
          transform(chunk, controller) {
            sent += chunk.byteLength;
            controller.enqueue(chunk);
          },
        }),
      );
      return new Response(counted ?? null, response);
    },
  });
  const bytes = await firstValueFrom(client.readArchiveEntry$(CHECKPOINT, "adapter_config.json"));
  assertEquals(JSON.parse(new TextDecoder().decode(bytes)).bias, "none");
  assert(sent <= 4 * 2 ** 20, `${sent} bytes were sent`);
});

Deno.test("readArchiveEntry$ finds a file without the `./` of its name, in an archive that is not compressed", async () => {
  const client = clientOf(await tarOf("a.txt", "hello"), 1);
  const bytes = await firstValueFrom(client.readArchiveEntry$(CHECKPOINT, "a.txt"));
  assertEquals(new TextDecoder().decode(bytes), "hello");
});

Deno.test("archiveEntries$ emits the fields of the header", async () => {
  const client = clientOf(await tarOf("a.txt", "hello"));
  const [entry] = await lastValueFrom(
    client.archiveEntries$(CHECKPOINT).pipe(
      concatMap(async (entry) => ({ ...entry, text: await textOf(entry) })),
      toArray(),
    ),
  );
  const { path, type, size, linkTarget, mtime, text } = { ...entry };
  assertEquals({ path, type, size, linkTarget, text }, {
    path: "./a.txt",
    type: "file",
    size: 5,
    linkTarget: undefined,
    text: "hello",
  });
  assertInstanceOf(mtime, Date);
});

Deno.test("readArchiveEntry$ fails with an ArchiveEntryNotFoundError for a name that the archive does not have", async () => {
  const error = await assertRejects(
    () => firstValueFrom(fakeOf().client.readArchiveEntry$(CHECKPOINT, "model.bin")),
    ArchiveEntryNotFoundError,
  );
  assertEquals(error.path, "model.bin");
});

Deno.test("readArchiveEntry$ rejects an empty name before any request", async () => {
  const { fake, client } = fakeOf();
  await assertRejects(
    () => firstValueFrom(client.readArchiveEntry$(CHECKPOINT, "./")),
    InvalidArgumentError,
  );
  assertEquals(fake.requests.length, 0);
});

Deno.test("archiveEntries$ rejects bytes that are not an archive", async () => {
  const client = clientOf(new TextEncoder().encode("no archive ".repeat(100)));
  await assertRejects(
    () => lastValueFrom(client.archiveEntries$(CHECKPOINT)),
    InvalidArchiveError,
  );
});

Deno.test("archiveEntries$ rejects a truncated gzip", async () => {
  const { fake } = fakeOf({ archiveBytes: 16_384 });
  const archive = fake.archive("eb78693b-380d-40f8-a709-ffe0da185718", "step_0010");
  await assertRejects(
    () => lastValueFrom(clientOf(archive.slice(0, 16_000)).archiveEntries$(CHECKPOINT)),
    InvalidArchiveError,
  );
});

Deno.test("archiveEntries$ fails with the error of the API", async () => {
  await assertRejects(
    () => lastValueFrom(fakeOf().client.archiveEntries$(CHECKPOINT.replace("0010", "9999"))),
    NotFoundError,
  );
});

Deno.test("archiveEntries$ resumes after a lost connection", async () => {
  const { fake } = fakeOf();
  fake.faults.add({ type: "cut", afterBytes: 500_000 });
  const client = new RestClient({
    apiKey: fake.apiKey,
    fetch: fake.fetch,
    retry: { initialDelayMs: 1 },
  });
  const entries = await lastValueFrom(client.archiveEntries$(CHECKPOINT).pipe(toArray()));
  assertEquals(entries.map(({ path }) => path), NAMES);
  assertEquals(fake.requests.length, 2);
});

/** An archive of one file of zeros. */
async function tarOfZeros(byteLength: number): Promise<Uint8Array<ArrayBuffer>> {
  return await tarOf("zeros", "\0".repeat(byteLength));
}

Deno.test("readArchiveEntry$ rejects a file that exceeds maxBytes at its header, before its bytes arrive", async () => {
  const archive = await tarOf("a.txt", "hello".repeat(100_000));
  // The bytes of the file never arrive.
  const client = clientOf(archive.slice(0, 512));
  const error = await assertRejects(
    () => firstValueFrom(client.readArchiveEntry$(CHECKPOINT, "a.txt", { maxBytes: 499_999 })),
    UnsafeArchiveError,
  );
  assertEquals(error.entry, "./a.txt");
  assertStringIncludes(error.reason, "500000 bytes");
});

Deno.test("readArchiveEntry$ reads a file of as many bytes as maxBytes, after larger ones", async () => {
  const { client } = fakeOf();
  const name = "tokenizer_config.json";
  const entries = await lastValueFrom(client.archiveEntries$(CHECKPOINT).pipe(toArray()));
  const maxBytes = entries.find(({ path }) => path === name)?.size ?? 0;
  const read = (maxBytes: number) =>
    firstValueFrom(client.readArchiveEntry$(CHECKPOINT, name, { maxBytes }));
  assertEquals((await read(maxBytes)).byteLength, maxBytes);
  await assertRejects(() => read(maxBytes - 1), UnsafeArchiveError);
});

Deno.test("readArchiveEntry$ reads 64 MiB by default, and rejects one byte more", async () => {
  const read = async (byteLength: number) => {
    const client = clientOf(await tarOfZeros(byteLength));
    return await firstValueFrom(client.readArchiveEntry$(CHECKPOINT, "zeros"));
  };
  assertEquals((await read(2 ** 26)).byteLength, 2 ** 26);
  await assertRejects(() => read(2 ** 26 + 1), UnsafeArchiveError);
});

Deno.test("archiveEntries$ fails before the entry that exceeds maxBytes", async () => {
  const { client } = fakeOf();
  const all = await lastValueFrom(client.archiveEntries$(CHECKPOINT).pipe(toArray()));
  const sizes = all.map(({ size }) => size);
  const total = sizes.reduce((sum, size) => sum + size);
  const paths: string[] = [];
  const read = (maxBytes: number) => {
    paths.length = 0;
    return client.archiveEntries$(CHECKPOINT, { maxBytes }).forEach(({ path }) => {
      paths.push(path);
    });
  };
  await read(total);
  assertEquals(paths, NAMES);
  const error = await assertRejects(() => read(total - 1), UnsafeArchiveError);
  assertEquals(error.entry, NAMES.at(-1));
  assertEquals(paths, NAMES.slice(0, -1));
});

for (
  const [operation, read] of [
    ["archiveEntries$", (client) => lastValueFrom(client.archiveEntries$(CHECKPOINT))],
    [
      "readArchiveEntry$",
      (client) =>
        firstValueFrom(client.readArchiveEntry$(CHECKPOINT, "zeros", { maxBytes: 2 ** 40 })),
    ],
  ] satisfies [string, (client: RestClient) => Promise<unknown>][]
) {
  Deno.test(`${operation} fails at a gzip bomb, soon after its first 64 MiB`, async () => {
    const bomb = gzipSync(await tarOfZeros(100 * 2 ** 20));
    const error = await assertRejects(
      () => read(clientOf(new Uint8Array(bomb))),
      UnsafeArchiveError,
    );
    assertEquals(error.entry, "./zeros");
    assertStringIncludes(error.reason, "maxRatio");
  });
}

Deno.test("archiveEntries$ with a higher maxRatio reads a gzip of that ratio", async () => {
  const client = clientOf(new Uint8Array(gzipSync(await tarOfZeros(65 * 2 ** 20))));
  await assertRejects(() => lastValueFrom(client.archiveEntries$(CHECKPOINT)), UnsafeArchiveError);
  await lastValueFrom(client.archiveEntries$(CHECKPOINT, { maxRatio: 2000 }));
});

for (const options of [{ maxBytes: -1 }, { maxBytes: 0.5 }, { maxRatio: 0 }, { maxRatio: NaN }]) {
  const [name] = Object.keys(options);
  Deno.test(`archiveEntries$ rejects ${name} ${Object.values(options)}`, async () => {
    const { fake, client } = fakeOf();
    const reads: (() => Promise<unknown>)[] = [
      () => lastValueFrom(client.archiveEntries$(CHECKPOINT, options)),
      () => lastValueFrom(client.readArchiveEntry$(CHECKPOINT, "README.md", options)),
    ];
    for (const read of reads) {
      const error = await assertRejects(read, InvalidArgumentError);
      assertEquals(error.argument, name);
    }
    assertEquals(fake.requests.length, 0);
  });
}

Deno.test("archiveEntries$ fails the read of a skipped body with advice", async () => {
  const entries = await lastValueFrom(fakeOf().client.archiveEntries$(CHECKPOINT).pipe(toArray()));
  const [first, second] = entries;
  assert(first !== undefined && second !== undefined);
  const error = await assertRejects(() => textOf(first), HpcaiError);
  assertStringIncludes(error.message, "README.md");
  assertStringIncludes(error.message, "mergeMap");
  await second.body.cancel();
});

Deno.test("archiveEntries$ emits complete entries after a body that was cancelled while it waited for bytes", async () => {
  const { fake } = fakeOf({ archiveBytes: 20_000 });
  const archive = fake.archive("eb78693b-380d-40f8-a709-ffe0da185718", "step_0010").slice(0);
  const texts = await lastValueFrom(
    // One byte at a time, so that each read waits.
    clientOf(archive, 1).archiveEntries$(CHECKPOINT).pipe(
      mergeMap(async (entry) => {
        if (entry.path.endsWith(".json")) return JSON.parse(await textOf(entry));
        const reader = entry.body.getReader();
        const reading = reader.read();
        await reader.cancel();
        return await reading;
      }),
      toArray(),
    ),
  );
  assertEquals(texts.length, NAMES.length);
});

Deno.test("archiveEntries$ reads an archive of several gzip members", async () => {
  const tar = await tarOf("a.txt", "hello");
  const members = [tar.slice(0, 600), tar.slice(600)].map((bytes) => gzipSync(bytes));
  const client = clientOf(Uint8Array.from(members.flatMap((member) => [...member])));
  const bytes = await firstValueFrom(client.readArchiveEntry$(CHECKPOINT, "a.txt"));
  assertEquals(new TextDecoder().decode(bytes), "hello");
});
