import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { concatMap, firstValueFrom, lastValueFrom, mergeMap, toArray } from "rxjs";
import {
  type ArchiveEntry,
  ArchiveEntryNotFoundError,
  InvalidArchiveError,
  InvalidArgumentError,
  NotFoundError,
  RestClient,
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

/** The bytes that GNU tar takes for an archive of one file. */
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

Deno.test("the entries come in the archive's order, also if nobody reads them", async () => {
  const entries = await lastValueFrom(fakeOf().client.archiveEntries$(CHECKPOINT).pipe(toArray()));
  assertEquals(entries.map(({ path }) => path), NAMES);
  assertEquals(entries.map(({ type }) => type), NAMES.map(() => "file"));
});

Deno.test("a body has as many bytes as its entry says, read one after the other", async () => {
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

Deno.test("a large file is read whole, also where those before it were skipped", async () => {
  const file = "adapter_model.safetensors";
  const bytes = await firstValueFrom(fakeOf().client.readArchiveEntry$(CHECKPOINT, file));
  assert(bytes.length > 2 ** 19);
});

Deno.test("the next entry comes only when the body of the one before is read", async () => {
  const notes: string[] = [];
  await lastValueFrom(
    fakeOf().client.archiveEntries$(CHECKPOINT).pipe(
      // Which waits for nobody by itself.
      mergeMap(({ path, body }) => {
        notes.push(path);
        const close = () => void notes.push(`read ${path}`);
        return body.pipeTo(new WritableStream({ close }));
      }),
    ),
  );
  assertEquals(notes, NAMES.flatMap((name) => [name, `read ${name}`]));
});

Deno.test("a body that is cancelled half-way is skipped", async () => {
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

Deno.test("unsubscribing aborts the transfer", async () => {
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

Deno.test("one file is read out of an archive of 2 GiB while little of it is sent", async () => {
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

Deno.test("a file is found without the `./` of its name, in an archive that is not gzipped", async () => {
  const client = clientOf(await tarOf("a.txt", "hello"), 1);
  const bytes = await firstValueFrom(client.readArchiveEntry$(CHECKPOINT, "a.txt"));
  assertEquals(new TextDecoder().decode(bytes), "hello");
});

Deno.test("an entry says what the archive says", async () => {
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

Deno.test("a name that the archive has not is an error that says so", async () => {
  const error = await assertRejects(
    () => firstValueFrom(fakeOf().client.readArchiveEntry$(CHECKPOINT, "model.bin")),
    ArchiveEntryNotFoundError,
  );
  assertEquals(error.path, "model.bin");
});

Deno.test("an empty name is refused before any request", async () => {
  const { fake, client } = fakeOf();
  await assertRejects(
    () => firstValueFrom(client.readArchiveEntry$(CHECKPOINT, "./")),
    InvalidArgumentError,
  );
  assertEquals(fake.requests.length, 0);
});

Deno.test("what is no archive is said to be none", async () => {
  const client = clientOf(new TextEncoder().encode("no archive ".repeat(100)));
  await assertRejects(
    () => lastValueFrom(client.archiveEntries$(CHECKPOINT)),
    InvalidArchiveError,
  );
});

Deno.test("a gzip that is cut off is said to be broken", async () => {
  const { fake } = fakeOf({ archiveBytes: 16_384 });
  const archive = fake.archive("eb78693b-380d-40f8-a709-ffe0da185718", "step_0010");
  await assertRejects(
    () => lastValueFrom(clientOf(archive.slice(0, 16_000)).archiveEntries$(CHECKPOINT)),
    InvalidArchiveError,
  );
});

Deno.test("the API's own error reaches who reads entries", async () => {
  await assertRejects(
    () => lastValueFrom(fakeOf().client.archiveEntries$(CHECKPOINT.replace("0010", "9999"))),
    NotFoundError,
  );
});

Deno.test("entries go on where the connection was cut", async () => {
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
