import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { HpcaiError, InvalidArgumentError, RestClient } from "@hpcai/rx";
import { fileSink, type FileSinkOptions, PathExistsError } from "@hpcai/rx/fs";
import { FakeHpcai } from "@hpcai/rx/testing";
import { lastValueFrom, take } from "rxjs";

const MIB = 1024 ** 2;

/** A directory that is removed with the block. */
class Directory implements Disposable {
  readonly path = Deno.makeTempDirSync();
  readonly file = `${this.path}/final.tar.gz`;

  names(path = this.path): string[] {
    return [...Deno.readDirSync(path)].map(({ name }) => name).sort();
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** Writes the chunks and closes the stream. */
function write(sink: WritableStream<Uint8Array>, ...chunks: Uint8Array<ArrayBuffer>[]) {
  return ReadableStream.from(chunks).pipeTo(sink);
}

const bytes = (length: number, seed = 1) =>
  Uint8Array.from({ length }, (_, at) => Math.imul(at + seed, 2654435761) >>> 24);

function clientOf(fake: FakeHpcai): RestClient {
  return new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch, retry: false });
}

Deno.test("fileSink writes the archive of download$", async () => {
  using directory = new Directory();
  const fake = new FakeHpcai({ archiveBytes: 3_000_000 });
  const [trainingRunId = ""] = fake.trainingRunIds;
  const checkpoint = { trainingRunId, checkpointId: "step_0010" };
  await lastValueFrom(clientOf(fake).download$(checkpoint, { to: fileSink(directory.file) }));
  const expected = fake.archive(trainingRunId, "step_0010").slice();
  assertEquals(await Deno.readFile(directory.file), expected);
  assertEquals(directory.names(), ["final.tar.gz"]);
});

Deno.test("fileSink writes chunks of every size in their order", async () => {
  using directory = new Directory();
  const all = bytes(5 * MIB + 7);
  const sizes = [0, 1, MIB - 2, 1, 1, MIB, 2 * MIB + 5, 3, MIB];
  let from = 0;
  const chunks = sizes.map((size) => all.subarray(from, from += size));
  await write(fileSink(directory.file), ...chunks);
  assertEquals(await Deno.readFile(directory.file), all.subarray(0, from));
});

Deno.test("fileSink copies chunks, so that their owner can write to them again", async () => {
  using directory = new Directory();
  const writer = fileSink(directory.file).getWriter();
  const chunk = new Uint8Array(3 * MIB / 4);
  for (const value of [1, 2, 3]) {
    chunk.fill(value);
    await writer.write(chunk);
  }
  await writer.close();
  const file = await Deno.readFile(directory.file);
  const places = [0, 1, 2].map((at) => file[at * chunk.byteLength]);
  assertEquals(places, [1, 2, 3]);
});

Deno.test("fileSink has backpressure: it is ready again once the disk has the bytes", async () => {
  using directory = new Directory();
  const writer = fileSink(directory.file).getWriter();
  const room = writer.desiredSize ?? 0;
  assert(room > 0 && room <= MIB, `room for ${room} bytes`);
  const written = writer.write(new Uint8Array(4 * MIB));
  assertEquals(writer.desiredSize, room - 4 * MIB);
  await writer.ready;
  const [name] = directory.names();
  assertEquals((await Deno.stat(`${directory.path}/${name}`)).size, 4 * MIB);
  await written;
  await writer.abort();
});

Deno.test("fileSink gives a file its name only once it is complete", async () => {
  using directory = new Directory();
  const writer = fileSink(directory.file).getWriter();
  await writer.write(bytes(2 * MIB));
  const [name = "", ...others] = directory.names();
  assertEquals(others, []);
  assert(/^\.hpcai-rx-[-\da-f]{36}\.part$/.test(name), name);
  await writer.close();
  assertEquals(directory.names(), ["final.tar.gz"]);
});

Deno.test("fileSink creates nothing when it is aborted before the first chunk", async () => {
  using directory = new Directory();
  await fileSink(`${directory.path}/new/final.tar.gz`).abort();
  assertEquals(directory.names(), []);
});

Deno.test("fileSink writes an empty file when it is closed without a chunk", async () => {
  using directory = new Directory();
  await write(fileSink(`${directory.path}/a/b/empty`));
  assertEquals((await Deno.stat(`${directory.path}/a/b/empty`)).size, 0);
});

Deno.test("fileSink that is aborted leaves no file", async () => {
  using directory = new Directory();
  const writer = fileSink(directory.file).getWriter();
  await writer.write(bytes(2 * MIB));
  await writer.abort();
  assertEquals(directory.names(), []);
});

Deno.test("fileSink leaves no file of a download that is unsubscribed from or fails", async () => {
  using directory = new Directory();
  const fake = new FakeHpcai({ archiveBytes: 3_000_000 });
  const [trainingRunId = ""] = fake.trainingRunIds;
  const checkpoint = { trainingRunId, checkpointId: "step_0010" };
  const download$ = () =>
    clientOf(fake).download$(checkpoint, {
      to: fileSink(directory.file),
      progressIntervalMs: 0,
    });
  await lastValueFrom(download$().pipe(take(10)));
  fake.faults.add({ type: "cut", afterBytes: 1_500_000 });
  await assertRejects(() => lastValueFrom(download$()), HpcaiError);
  for (let polls = 0; polls < 200 && directory.names().length > 0; polls++) {
    await new Promise((resolve) => setTimeout(resolve, 5)); // an abort is not awaited
  }
  assertEquals(directory.names(), []);
});

Deno.test("fileSink keeps a file that exists", async () => {
  using directory = new Directory();
  await Deno.writeTextFile(directory.file, "mine");
  const error = await assertRejects(
    () => write(fileSink(directory.file), bytes(1)),
    InvalidArgumentError,
  );
  assertEquals(error.argument, "path");
  assertStringIncludes(error.message, "overwrite");
  assertEquals(await Deno.readTextFile(directory.file), "mine");
  assertEquals(directory.names(), ["final.tar.gz"]);
});

Deno.test("fileSink keeps a file that another process created during the download", async () => {
  using directory = new Directory();
  const writer = fileSink(directory.file).getWriter();
  await writer.write(bytes(1));
  await Deno.writeTextFile(directory.file, "mine");
  await assertRejects(() => writer.close(), PathExistsError, "during the download");
  assertEquals(await Deno.readTextFile(directory.file), "mine");
  assertEquals(directory.names(), ["final.tar.gz"]);
});

Deno.test("fileSink gives a path to only one of several sinks that are closed concurrently", async () => {
  for (let round = 0; round < 20; round++) {
    using directory = new Directory();
    const contents = Array.from({ length: 8 }, (_, seed) => bytes(1000, seed));
    const writers = contents.map(() => fileSink(directory.file).getWriter());
    await Promise.all(writers.map((writer, at) => writer.write(contents[at])));
    const outcomes = await Promise.allSettled(writers.map((writer) => writer.close()));
    const winners = contents.filter((_, at) => outcomes[at]?.status === "fulfilled");
    assertEquals(winners.length, 1);
    assertEquals(await Deno.readFile(directory.file), winners[0]);
    assertEquals(directory.names(), ["final.tar.gz"]);
  }
});

Deno.test("fileSink replaces a file with `overwrite`, once the new one is complete", async () => {
  using directory = new Directory();
  await Deno.writeTextFile(directory.file, "old");
  const aborted = fileSink(directory.file, { overwrite: true }).getWriter();
  await aborted.write(bytes(2 * MIB));
  await aborted.abort();
  assertEquals(await Deno.readTextFile(directory.file), "old");
  await write(fileSink(directory.file, { overwrite: true }), bytes(10));
  assertEquals(await Deno.readFile(directory.file), bytes(10));
  assertEquals(directory.names(), ["final.tar.gz"]);
});

const irregularFiles: Record<string, (path: string) => Promise<void>> = {
  "a directory": (path) => Deno.mkdir(path),
  "a link": async (path) => {
    await Deno.writeTextFile(`${path}.target`, "mine");
    await new Deno.Command("bash", { args: ["-c", 'ln -s "$0.target" "$0"', path] }).output();
  },
  "a dangling link": async (path) => {
    await new Deno.Command("bash", { args: ["-c", 'ln -s nowhere "$0"', path] }).output();
  },
  "a named pipe": async (path) => {
    await new Deno.Command("bash", { args: ["-c", 'mkfifo "$0"', path] }).output();
  },
};
for (const [name, create] of Object.entries(irregularFiles)) {
  for (const overwrite of [false, true]) {
    Deno.test(`fileSink with overwrite: ${overwrite} keeps ${name}`, async () => {
      using directory = new Directory();
      await create(directory.file);
      const before = directory.names();
      const sink = fileSink(directory.file, { overwrite });
      const error = await assertRejects(() => write(sink, bytes(1)), InvalidArgumentError);
      assertMatch(error.message, /is a (directory|symbolic link|FIFO), not a file/);
      assertEquals(error.message.includes("overwrite"), false);
      assertEquals(directory.names(), before);
      assertEquals((await Deno.lstat(directory.file)).isFile, false);
    });
  }
}

Deno.test("fileSink writes a name as long as the file system allows", async () => {
  using directory = new Directory();
  const path = `${directory.path}/${"n".repeat(255)}`;
  await write(fileSink(path), bytes(3));
  assertEquals(await Deno.readFile(path), bytes(3));
});

Deno.test("fileSink reports the path when the file system fails", async () => {
  using directory = new Directory();
  await Deno.writeTextFile(directory.file, "a file");
  const path = `${directory.file}/inside`;
  const error = await assertRejects(() => write(fileSink(path), bytes(1)), HpcaiError);
  assertEquals(
    error.problem,
    `Cannot write ${path}: a segment of the path is not a directory (ENOTDIR)`,
  );
  assertEquals(error.advice, "Choose another path.");
  assertInstanceOf(error.cause, Error);
});

Deno.test("fileSink reports invalid arguments as the error of the stream", async () => {
  using directory = new Directory();
  const invalid: [argument: string, path: unknown, options?: unknown][] = [
    ["path", ""],
    ["path", 7],
    ["path", `${directory.path}/`],
    ["options", directory.file, null],
    ["overwrite", directory.file, { overwrite: "yes" }],
  ];
  for (const [argument, path, options] of invalid) {
    const sink = fileSink(path as string, options as FileSinkOptions);
    const error = await assertRejects(() => sink.getWriter().closed, InvalidArgumentError);
    assertEquals(error.argument, argument);
  }
  assertEquals(directory.names(), []);
});

Deno.test("fileSink rejects chunks that are not bytes, and leaves no file", async () => {
  using directory = new Directory();
  const chunks: unknown[] = ["text", null, [1], new ArrayBuffer(1)];
  for (const chunk of chunks) {
    const writer = fileSink(directory.file).getWriter();
    await writer.write(bytes(1));
    const write = writer.write(chunk as Uint8Array);
    await assertRejects(() => write, InvalidArgumentError, "must be a Uint8Array");
    assertEquals(directory.names(), []);
  }
});

Deno.test("fileSink creates nothing if no download writes to it", async () => {
  using directory = new Directory();
  const fake = new FakeHpcai({ archiveBytes: 20_000 });
  const [trainingRunId = ""] = fake.trainingRunIds;
  fake.faults.add({ type: "status", status: 404 });
  const checkpoint = { trainingRunId, checkpointId: "step_0010" };
  const to = fileSink(directory.file);
  await assertRejects(() => lastValueFrom(clientOf(fake).download$(checkpoint, { to })));
  assertEquals(directory.names(), []);
});
