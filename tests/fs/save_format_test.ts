import { assert, assertEquals, assertRejects } from "@std/assert";
import { type ArchiveFormat, InvalidArchiveError, RestClient } from "@hpcai/rx";
import { saveArchive$, type SaveOptions } from "@hpcai/rx/fs";
import { FakeHpcai } from "@hpcai/rx/testing";
import { Buffer } from "node:buffer";
import { gunzipSync, gzipSync } from "node:zlib";
import { lastValueFrom, toArray } from "rxjs";
import { tarHeader } from "../../src/testing/tar_header.ts";
import { sha256 } from "../sha256.ts";
import { stateFiles } from "./path_state.ts";

const CHECKPOINT = "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010";

const TAR_GZ = new FakeHpcai({ archiveBytes: 300_000 })
  .archive("eb78693b-380d-40f8-a709-ffe0da185718", "step_0010").slice();
const TAR = Uint8Array.from(gunzipSync(TAR_GZ));
const ETAG = '"strong"';

/** A directory that is removed with the block, and a server with one archive. */
class Setting implements AsyncDisposable {
  readonly directory = Deno.makeTempDirSync();
  readonly ranges: (string | null)[] = [];
  /** The number of bytes after which the connection is lost. */
  cutAt = Infinity;

  async save(
    body: Uint8Array<ArrayBuffer>,
    name: string,
    options: SaveOptions = {},
    headers: Record<string, string> = { "Content-Length": String(body.byteLength), ETag: ETAG },
  ) {
    const client = new RestClient({
      apiKey: "key",
      retry: false,
      fetch: (_url, init) => {
        const range = new Headers(init?.headers).get("Range");
        this.ranges.push(range);
        const start = Number(/\d+/.exec(range ?? "0")?.[0]);
        if (start === body.byteLength && range !== null) {
          const contentRange = { "Content-Range": `bytes */${body.byteLength}` };
          return Promise.resolve(new Response(null, { status: 416, headers: contentRange }));
        }
        const contentRange = `bytes ${start}-${body.byteLength - 1}/${body.byteLength}`;
        return Promise.resolve(
          new Response(body.slice(start, this.cutAt), {
            status: range === null ? 200 : 206,
            headers: range === null ? headers : { ETag: ETAG, "Content-Range": contentRange },
          }),
        );
      },
    });
    const path = `${this.directory}/${name}`;
    const events = await lastValueFrom(
      saveArchive$(client, CHECKPOINT, path, options).pipe(toArray()),
    );
    const complete = events.at(-1);
    assert(complete?.type === "complete");
    const file = Deno.readFileSync(path);
    assertEquals(complete.size, file.byteLength);
    assertEquals(complete.sha256, sha256(file));
    return { ...complete, file };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
  }
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

for (
  const [what, body, name, format] of [
    ["a tar", TAR, "final.tar.gz", "tar.gz"],
    ["a tar", TAR, "FINAL.TGZ", "tar.gz"],
    ["a .tar.gz", TAR_GZ, "final.tar", "tar"],
    ["a .tar.gz", TAR_GZ, "final.tar.gz", "tar.gz"],
    ["a tar", TAR, "final.tar", "tar"],
    ["a .tar.gz", TAR_GZ, "final.bin", "tar.gz"],
    ["a tar", TAR, "final", "tar"],
  ] as const
) {
  Deno.test(`saveArchive$ saves ${what} under ${name} as ${format}`, async () => {
    await using setting = new Setting();
    const complete = await setting.save(body, name, { verify: true });
    assertEquals([complete.format, complete.loaded], [format, body.byteLength]);
    assertEquals(isGzip(complete.file), format === "tar.gz");
    const tar = isGzip(complete.file) ? gunzipSync(complete.file) : complete.file;
    assertEquals(Uint8Array.from(tar), TAR);
    assertEquals(stateFiles(`${setting.directory}/${name}`), ["file.json"]);
  });
}

Deno.test("saveArchive$ transfers nothing of an archive that it has converted, and reports its format", async () => {
  await using setting = new Setting();
  const first = await setting.save(TAR, "final.tar.gz");
  const second = await setting.save(TAR, "final.tar.gz");
  assertEquals(setting.ranges, [null, `bytes=${TAR.byteLength}-`]);
  assertEquals([second.format, second.sha256, second.size, second.loaded], [
    "tar.gz",
    first.sha256,
    first.size,
    TAR.byteLength,
  ]);
});

Deno.test("saveArchive$ resumes an archive before it converts it", async () => {
  await using setting = new Setting();
  setting.cutAt = 100_000;
  await assertRejects(() => setting.save(TAR, "final.tar.gz"));
  setting.cutAt = Infinity;
  const complete = await setting.save(TAR, "final.tar.gz");
  assertEquals(setting.ranges, [null, "bytes=100000-"]);
  assertEquals(Uint8Array.from(gunzipSync(complete.file)), TAR);
});

Deno.test("saveArchive$ converts an archive without a strong entity tag, and leaves no state", async () => {
  await using setting = new Setting();
  const headers = { "Content-Length": String(TAR.byteLength) };
  const complete = await setting.save(TAR, "final.tar.gz", {}, headers);
  assertEquals(complete.format, "tar.gz");
  assertEquals([...Deno.readDirSync(setting.directory)].map(({ name }) => name), ["final.tar.gz"]);
});

Deno.test("saveArchive$ decompresses all members of a gzip file", async () => {
  await using setting = new Setting();
  const members = [TAR.subarray(0, 10_240), TAR.subarray(10_240)].map((part) => gzipSync(part));
  const complete = await setting.save(Uint8Array.from(Buffer.concat(members)), "final.tar");
  assertEquals(complete.file, TAR);
});

for (const verify of [false, true]) {
  Deno.test(`saveArchive$ with verify: ${verify} leaves no .tar that it cannot decompress`, async () => {
    await using setting = new Setting();
    const cut = TAR_GZ.slice(0, 200_000);
    await assertRejects(() => setting.save(cut, "final.tar", { verify }), InvalidArchiveError);
    assertEquals([...Deno.readDirSync(setting.directory)], []);
  });
}

Deno.test("saveArchive$ does not decompress a bomb to a .tar, and leaves nothing of it", async () => {
  await using setting = new Setting();
  // A tar of one file of zeros, which gzip reduces to a thousandth.
  const bomb = Uint8Array.from(
    gzipSync(
      Buffer.concat([tarHeader("zeros", 80 * 2 ** 20, 0), Buffer.alloc(80 * 2 ** 20 + 1024)]),
    ),
  );
  await assertRejects(() => setting.save(bomb, "bomb.tar"), InvalidArchiveError, "100 times");
  assertEquals(await Array.fromAsync(Deno.readDir(setting.directory)), []);
});

Deno.test("saveArchive$ reports the format of bytes that are not an archive as unknown", async () => {
  await using setting = new Setting();
  const complete = await setting.save(new Uint8Array(5000).fill(1), "final.tar.gz");
  const expected: ArchiveFormat = "unknown";
  assertEquals(complete.format, expected);
});
