import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { HpcaiError, InvalidArgumentError, RestClient } from "@hpcai/rx";
import { PathExistsError, saveArchive$, type SaveEvent, type SaveOptions } from "@hpcai/rx/fs";
import { FakeHpcai, type FakeHpcaiOptions } from "@hpcai/rx/testing";
import { setTimeout as delay } from "node:timers/promises";
import { firstValueFrom, lastValueFrom, skipWhile, takeWhile, tap, toArray } from "rxjs";
import { InvalidArchiveError } from "../../src/errors.ts";
import { serve } from "../integration/loopback_server.ts";
import { sha256 } from "../sha256.ts";
import { lockOf, plantState, stateFiles, stateOf, whenReleased } from "./path_state.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";
const CHECKPOINT = { trainingRunId: RUN, checkpointId: "step_0010" };
const ARCHIVE_BYTES = 3_000_000;

/** A fake API, a client of it, and a directory that is removed with the block. */
class Setting implements AsyncDisposable {
  readonly directory = Deno.makeTempDirSync();
  readonly path = `${this.directory}/final.tar.gz`;
  readonly fake: FakeHpcai;
  readonly client: RestClient;

  constructor(options: FakeHpcaiOptions = {}) {
    this.fake = new FakeHpcai({ archiveBytes: ARCHIVE_BYTES, ...options });
    this.client = clientOf(this.fake);
  }

  get archive(): Uint8Array<ArrayBuffer> {
    return this.fake.archive(RUN, "step_0010").slice();
  }

  save(options?: SaveOptions): Promise<SaveEvent[]> {
    return lastValueFrom(
      saveArchive$(this.client, CHECKPOINT, this.path, options).pipe(toArray()),
    );
  }

  async failure(options?: SaveOptions): Promise<HpcaiError> {
    return await assertRejects(() => this.save(options), HpcaiError);
  }

  /** Saves until some bytes have arrived, and unsubscribes. */
  async saveSome(): Promise<void> {
    await lastValueFrom(
      saveArchive$(this.client, CHECKPOINT, this.path, { progressIntervalMs: 0 }).pipe(
        takeWhile(({ loaded }) => loaded < ARCHIVE_BYTES / 2),
      ),
    );
    await this.whenReleased();
  }

  async whenReleased(): Promise<void> {
    await whenReleased(this.path);
  }

  /** The names in the directory, and in the state of the file. */
  files(): string[] {
    const names = [...Deno.readDirSync(this.directory)].map(({ name }) => name).sort();
    return names.flatMap((name) => name === ".hpcai-rx" ? stateFiles(this.path) : [name]);
  }

  get etag(): string {
    return this.fake.archive(RUN, "step_0010").etag;
  }

  /** Creates the part of a process that was killed after a sync. */
  plantPart(bytes: Uint8Array, record: unknown = this.recordOf(bytes.byteLength)): string {
    return plantState(this.path, {
      part: bytes,
      ...(record === null
        ? {}
        : { "part.json": typeof record === "string" ? record : JSON.stringify(record) }),
    });
  }

  recordOf(synced: number): Record<string, unknown> {
    return { name: "final.tar.gz", ...CHECKPOINT, etag: this.etag, synced };
  }

  assertIsSaved(path = this.path): void {
    assertEquals(sha256(Deno.readFileSync(path)), sha256(this.archive));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
  }
}

const SAVED = ["file.json", "final.tar.gz"];
const INTERRUPTED = ["part", "part.json"];

function clientOf({ apiKey, fetch }: Pick<FakeHpcai, "apiKey" | "fetch">): RestClient {
  return new RestClient({ apiKey, fetch, retry: { initialDelayMs: 0, maxRetries: 2 } });
}

Deno.test("saveArchive$ emits progress, then `complete` once, with the SHA-256", async () => {
  await using setting = new Setting();
  const events = await setting.save();
  assertEquals(events.slice(0, -1).map(({ type }) => type), ["progress", "progress"]);
  assertEquals(events.map(({ loaded }) => loaded), [0, ARCHIVE_BYTES, ARCHIVE_BYTES]);
  assertEquals(events.at(-1), {
    type: "complete",
    loaded: ARCHIVE_BYTES,
    path: setting.path,
    size: ARCHIVE_BYTES,
    format: "tar.gz",
    sha256: sha256(setting.archive),
  });
  setting.assertIsSaved();
  assertEquals(setting.files(), SAVED);
});

Deno.test("saveArchive$ names the file before it emits `complete`", async () => {
  await using setting = new Setting();
  const namesAt: Record<string, string[]> = {};
  await lastValueFrom(
    saveArchive$(setting.client, CHECKPOINT, setting.path).pipe(
      tap(({ type }) => namesAt[type] ??= setting.files()),
    ),
  );
  assertEquals(namesAt["progress"], ["lock", "part"]);
  assertEquals(namesAt["complete"], SAVED);
});

Deno.test("saveArchive$ with sha256: false emits no SHA-256", async () => {
  await using setting = new Setting();
  const complete = (await setting.save({ sha256: false })).at(-1);
  assert(complete?.type === "complete");
  assertEquals(complete.sha256, undefined);
  setting.assertIsSaved();
});

Deno.test("saveArchive$ creates the directories of the path", async () => {
  await using setting = new Setting();
  const path = `${setting.directory}/a/b/c.tar.gz`;
  await lastValueFrom(saveArchive$(setting.client, CHECKPOINT, path));
  setting.assertIsSaved(path);
});

Deno.test("saveArchive$ does nothing before the subscription", async () => {
  await using setting = new Setting();
  saveArchive$(setting.client, CHECKPOINT, setting.path);
  assertEquals([setting.files(), setting.fake.requests.length], [[], 0]);
});

Deno.test("saveArchive$ that is interrupted leaves a part and its record, and the next save resumes", async () => {
  await using setting = new Setting();
  await setting.saveSome();
  assertEquals(setting.files(), INTERRUPTED);
  const { size } = Deno.statSync(`${stateOf(setting.path)}/part`);
  assert(size > 0 && size < ARCHIVE_BYTES);

  const events = await setting.save();
  assertEquals(setting.fake.requests.at(-1)?.headers.get("Range"), `bytes=${size}-`);
  assertEquals(events.at(0)?.loaded, size);
  const complete = events.at(-1);
  assert(complete?.type === "complete");
  assertEquals(complete.sha256, sha256(setting.archive));
  setting.assertIsSaved();
  assertEquals(setting.files(), SAVED);
});

Deno.test("saveArchive$ that fails keeps a part that a later save resumes from", async () => {
  await using setting = new Setting();
  setting.fake.faults.add({ type: "cut", afterBytes: 1_000_000 });
  setting.fake.faults.add({ type: "connection-error" }, { times: Infinity });
  await setting.failure();
  assertEquals(setting.files(), INTERRUPTED);
  setting.fake.faults.clear();
  assert(((await setting.save()).at(0)?.loaded ?? 0) > 0);
  setting.assertIsSaved();
});

Deno.test("saveArchive$ resumes from any recorded length", async () => {
  for (const length of [1, 1_000_000, ARCHIVE_BYTES]) {
    await using setting = new Setting();
    setting.plantPart(setting.archive.subarray(0, length));
    const events = await setting.save();
    assertEquals(events.at(0)?.loaded, length);
    setting.assertIsSaved();
    assertEquals(setting.files(), SAVED);
  }
});

for (const surplus of [500_000, 5_000_000]) {
  Deno.test(`saveArchive$ discards ${surplus} bytes after the synced ones`, async () => {
    await using setting = new Setting();
    const bytes = new Uint8Array(1_000_000 + surplus).fill(7);
    bytes.set(setting.archive.subarray(0, 1_000_000));
    setting.plantPart(bytes, setting.recordOf(1_000_000));
    assertEquals((await setting.save()).at(0)?.loaded, 1_000_000);
    setting.assertIsSaved();
  });
}

/** Records that do not identify the part beside them. */
const invalidRecords: Record<string, (setting: Setting) => unknown> = {
  "no record": () => null,
  "half a record": () => '{"trainingRunId": "eb7',
  "the record of another checkpoint": (setting) => ({
    ...setting.recordOf(500_000),
    checkpointId: "final",
  }),
  "the record of another archive": (setting) => ({
    ...setting.recordOf(500_000),
    etag: '"another"',
  }),
  "a record with a weak tag": (setting) => ({ ...setting.recordOf(500_000), etag: 'W/"1"' }),
  "the record of a shorter archive": (setting) => ({ ...setting.recordOf(500_000), total: 10 }),
  "the record of more bytes than the part has": (setting) => setting.recordOf(500_001),
  "a record of nothing synced": (setting) => setting.recordOf(0),
};
for (const [what, recordOf] of Object.entries(invalidRecords)) {
  Deno.test(`saveArchive$ drops a part with ${what}`, async () => {
    await using setting = new Setting();
    setting.plantPart(new Uint8Array(500_000), recordOf(setting));
    await setting.save();
    setting.assertIsSaved();
    assertEquals(setting.files(), SAVED);
  });
}

Deno.test("saveArchive$ restarts an archive that changes during the transfer, with its SHA-256", async () => {
  const archives = [1, 2].map((seed) => new FakeHpcai({ seed, archiveBytes: ARCHIVE_BYTES }));
  const ids = archives.map((fake) => {
    const trainingRunId = fake.trainingRunIds[0] ?? "";
    return { trainingRunId, checkpointId: fake.checkpoints(trainingRunId)[0]?.checkpointId ?? "" };
  });
  await using setting = new Setting();
  let requests = 0;
  const client = clientOf({
    apiKey: "key",
    fetch: (_url, init) => {
      const at = Math.min(requests++, 1);
      const { trainingRunId = "", checkpointId = "" } = ids[at] ?? {};
      const fake = archives[at];
      if (fake === undefined) throw new Error("unreachable");
      if (at === 0) fake.faults.add({ type: "cut", afterBytes: 2_000_000 });
      const headers = new Headers(init?.headers);
      headers.set("X-API-Key", fake.apiKey);
      const url =
        `https://x/api/v1/training_runs/${trainingRunId}/checkpoints/${checkpointId}/archive`;
      return fake.fetch(url, { ...init, headers });
    },
  });
  const complete = await lastValueFrom(saveArchive$(client, CHECKPOINT, setting.path));
  const { trainingRunId = "", checkpointId = "" } = ids[1] ?? {};
  const expected = sha256(
    archives[1]?.archive(trainingRunId, checkpointId).slice() ?? new Uint8Array(),
  );
  assert(complete.type === "complete");
  assertEquals(complete.sha256, expected);
  assertEquals(sha256(Deno.readFileSync(setting.path)), expected);
});

Deno.test("saveArchive$ from a server without a strong entity tag leaves neither record nor part", async () => {
  await using setting = new Setting();
  const bytes = setting.archive;
  let isComplete = false;
  const fetch = () => {
    const body = isComplete ? bytes : bytes.subarray(0, 2_000_000);
    const headers = { "Content-Length": String(bytes.byteLength), "ETag": 'W/"1"' };
    return Promise.resolve(new Response(body, { headers }));
  };
  const client = clientOf({ apiKey: "key", fetch });
  const save = () => lastValueFrom(saveArchive$(client, CHECKPOINT, setting.path));
  await assertRejects(save, HpcaiError);
  assertEquals(setting.files(), []);
  isComplete = true;
  await save();
  setting.assertIsSaved();
  assertEquals(setting.files(), ["final.tar.gz"]);
});

Deno.test("saveArchive$ transfers nothing if the file is the archive already", async () => {
  await using setting = new Setting();
  await setting.save();
  const { mtime } = Deno.statSync(setting.path);
  await using server = serve(setting.fake.handler);
  const client = new RestClient({ apiKey: setting.fake.apiKey, baseUrl: server.url });
  const events = await lastValueFrom(
    saveArchive$(client, CHECKPOINT, setting.path).pipe(toArray()),
  );
  assertEquals(server.requests.map(({ headers }) => headers.get("Range")), [
    `bytes=${ARCHIVE_BYTES}-`,
  ]);
  assertEquals(events.map(({ type, loaded }) => [type, loaded]), [
    ["progress", ARCHIVE_BYTES],
    ["complete", ARCHIVE_BYTES],
  ]);
  const complete = events.at(-1);
  assert(complete?.type === "complete");
  assertEquals(complete.sha256, sha256(setting.archive));
  assertEquals(Deno.statSync(setting.path).mtime, mtime);
  assertEquals(setting.files(), SAVED);
});

/** Changes of a file after it was saved. */
const changes: Record<string, (path: string) => void> = {
  "has no record": (path) => Deno.removeSync(`${stateOf(path)}/file.json`),
  "was written to": (path) => {
    const file = Deno.openSync(path, { write: true });
    file.writeSync(new Uint8Array([1]));
    file.close();
    Deno.utimeSync(path, new Date(0), new Date(0));
  },
  "was truncated": (path) => Deno.truncateSync(path, 10),
};
for (const [what, change] of Object.entries(changes)) {
  Deno.test(`saveArchive$ rejects a file that ${what} before any request, and keeps it`, async () => {
    await using setting = new Setting();
    await setting.save();
    change(setting.path);
    const before = sha256(Deno.readFileSync(setting.path));
    const requests = setting.fake.requests.length;
    const error = await setting.failure();
    assertInstanceOf(error, PathExistsError);
    assertEquals(error.argument, "path");
    assertMatch(error.message, /exists and is not known to be this archive\. .* overwrite/);
    assertEquals(setting.fake.requests.length, requests);
    assertEquals(sha256(Deno.readFileSync(setting.path)), before);
  });

  Deno.test(`saveArchive$ with overwrite replaces a file that ${what}`, async () => {
    await using setting = new Setting();
    await setting.save();
    change(setting.path);
    await setting.save({ overwrite: true });
    setting.assertIsSaved();
    assertEquals(setting.files(), SAVED);
  });
}

Deno.test("saveArchive$ rejects a file whose archive has changed on the server, and replaces it with overwrite", async () => {
  await using setting = new Setting();
  await setting.save();
  const { path } = setting;
  const readRecord = () => JSON.parse(Deno.readTextFileSync(`${stateOf(path)}/file.json`));
  const record = readRecord();
  Deno.writeTextFileSync(
    `${stateOf(path)}/file.json`,
    JSON.stringify({ ...record, etag: '"old"' }),
  );
  assertMatch((await setting.failure()).message, /has changed on the server\. .* overwrite/);
  assertEquals(setting.files(), SAVED);
  await setting.save({ overwrite: true });
  assertEquals(readRecord().etag, record.etag);
});

Deno.test("saveArchive$ with overwrite keeps the old file until the new one is complete", async () => {
  await using setting = new Setting();
  Deno.writeTextFileSync(setting.path, "old");
  const lengths: number[] = [];
  const options = { overwrite: true, progressIntervalMs: 0 };
  await lastValueFrom(
    saveArchive$(setting.client, CHECKPOINT, setting.path, options).pipe(
      tap(() => lengths.push(Deno.statSync(setting.path).size)),
    ),
  );
  assertEquals([...new Set(lengths)], ["old".length, ARCHIVE_BYTES]);
});

Deno.test("saveArchive$ rejects a directory at the path, with and without overwrite, and creates nothing", async () => {
  for (const overwrite of [false, true]) {
    await using setting = new Setting();
    Deno.mkdirSync(setting.path);
    const error = await setting.failure({ overwrite });
    assertInstanceOf(error, InvalidArgumentError);
    assertStringIncludes(error.message, "is a directory, not a file");
    assertEquals([setting.files(), setting.fake.requests.length], [["final.tar.gz"], 0]);
  }
});

for (const path of ["", "checkpoints/", "a\0b", 7, undefined]) {
  Deno.test(`saveArchive$ rejects the path ${JSON.stringify(path)}`, async () => {
    await using setting = new Setting();
    const { client } = setting;
    // @ts-expect-error: a caller without types
    const save = () => lastValueFrom(saveArchive$(client, CHECKPOINT, path));
    assertEquals((await assertRejects(save, InvalidArgumentError)).argument, "path");
  });
}

for (const name of ["overwrite", "sha256", "verify"]) {
  Deno.test(`saveArchive$ rejects an option ${name} that is not a boolean, before any request`, async () => {
    await using setting = new Setting();
    const { client, directory, fake } = setting;
    // A string such as "false" is truthy.
    const options = { [name]: "false" };
    const save = () => lastValueFrom(saveArchive$(client, CHECKPOINT, `${directory}/a`, options));
    assertEquals((await assertRejects(save, InvalidArgumentError)).argument, name);
    assertEquals([setting.files(), fake.requests.length], [[], 0]);
  });
}

Deno.test("saveArchive$ into a file instead of a directory fails with path and reason", async () => {
  await using setting = new Setting();
  Deno.writeTextFileSync(`${setting.directory}/file`, "");
  const path = `${setting.directory}/file/final.tar.gz`;
  const save = () => lastValueFrom(saveArchive$(setting.client, CHECKPOINT, path));
  const { message } = await assertRejects(save, HpcaiError);
  assertMatch(message, /^Cannot save .*final\.tar\.gz: .* \(ENOTDIR\)/);
});

Deno.test("saveArchive$ of a checkpoint that does not exist leaves no file", async () => {
  await using setting = new Setting();
  const ids = { trainingRunId: RUN, checkpointId: "nope" };
  const save = () => lastValueFrom(saveArchive$(setting.client, ids, setting.path));
  await assertRejects(save, HpcaiError, "nope not found");
  assertEquals(setting.files(), []);
});

Deno.test("saveArchive$ with verify saves a valid archive, and verifies it again", async () => {
  await using setting = new Setting();
  await setting.save({ verify: true });
  await setting.save({ verify: true });
  setting.assertIsSaved();
});

/** Kinds of damage to an archive on the server. */
const damages: Record<string, (archive: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>> = {
  "a wrong checksum": (archive) => archive.with(-8, (archive.at(-8) ?? 0) ^ 1),
  "no end": (archive) => archive.subarray(0, 1_000_000),
  "no entries": () => new Uint8Array(1024),
  "the bytes of a page": () => new TextEncoder().encode("<html>".repeat(1000)),
  "an empty gzip": () =>
    Uint8Array.from(atob("H4sIAAAAAAAAAwMAAAAAAAAAAAA="), (c) => c.charCodeAt(0)),
};
for (const [what, damage] of Object.entries(damages)) {
  Deno.test(`saveArchive$ with verify rejects an archive with ${what} and leaves no file`, async () => {
    await using setting = new Setting();
    const body = damage(setting.archive);
    const fetch = () => Promise.resolve(new Response(body, { headers: { "ETag": '"1"' } }));
    const client = clientOf({ apiKey: "key", fetch });
    const save = () =>
      lastValueFrom(saveArchive$(client, CHECKPOINT, setting.path, { verify: true }));
    await assertRejects(save, InvalidArchiveError);
    assertEquals(setting.files(), []);
  });
}

Deno.test("saveArchive$ takes over the lock of a killed process", async () => {
  await using setting = new Setting();
  plantState(setting.path);
  Deno.writeTextFileSync(lockOf(setting.path), "");
  await setting.save();
  setting.assertIsSaved();
  assertEquals(setting.files(), SAVED);
});

Deno.test("saveArchive$ that is unsubscribed while it waits for a lock stops waiting", async () => {
  await using setting = new Setting();
  plantState(setting.path);
  Deno.writeTextFileSync(lockOf(setting.path), "");
  const saving = saveArchive$(setting.client, CHECKPOINT, setting.path).subscribe();
  await delay(20);
  saving.unsubscribe();
  await delay(60);
  assertEquals(setting.fake.requests.length, 0);
  assertEquals(setting.files(), ["lock"]);
});

Deno.test("saveArchive$ that is unsubscribed at once leaves nothing", async () => {
  await using setting = new Setting();
  saveArchive$(setting.client, CHECKPOINT, setting.path).subscribe().unsubscribe();
  await delay(50);
  assertEquals([setting.files(), setting.fake.requests.length], [[], 0]);
});

Deno.test("saveArchive$ writes neither the key nor a signed URL to a file", async () => {
  await using setting = new Setting({ archiveResponse: "redirect" });
  await setting.saveSome();
  const records = [Deno.readTextFileSync(`${stateOf(setting.path)}/part.json`)];
  await setting.save();
  records.push(Deno.readTextFileSync(`${stateOf(setting.path)}/file.json`));
  assertEquals(records.length, 2);
  for (const text of records) {
    assert(!text.includes(setting.fake.apiKey) && !text.includes("//"), text);
  }
});

Deno.test("saveArchive$ emits `preparing` while the server builds the archive", async () => {
  await using setting = new Setting();
  setting.fake.faults.add({ type: "status", status: 425, headers: { "Retry-After": "0" } });
  const first = await firstValueFrom(
    saveArchive$(setting.client, CHECKPOINT, setting.path).pipe(
      skipWhile(({ type }) => type === "progress"),
    ),
  );
  assertEquals(first.type, "preparing");
  await setting.whenReleased();
});

/** Saves in another process, with arguments for Deno, or in a program that limits it. */
async function saveInChild(
  setting: Setting,
  within: readonly string[],
  denoArgs: readonly string[],
) {
  await using server = serve(setting.fake.handler);
  const saver = new URL("saver.ts", import.meta.url).href;
  const { apiKey } = setting.fake;
  const options = { apiKey, baseUrl: server.url, path: setting.path };
  const deno = [Deno.execPath(), "run", "--no-prompt", "--allow-net=127.0.0.1", ...denoArgs];
  const [command = "", ...args] = [...within, ...deno, saver, JSON.stringify(options)];
  const { code, stderr } = await new Deno.Command(command, { args }).output();
  return { code, stderr: new TextDecoder().decode(stderr) };
}

/** Limits the size of files, so that a write fails in the middle, as on a full disk. */
const WITHIN_A_MEBIBYTE = `
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20 + 7, 2**20 + 7))
os.execvp(sys.argv[1], sys.argv[1:])
`;

Deno.test("saveArchive$ reports a file size limit, and a later save resumes from what was written", async () => {
  await using setting = new Setting();
  const { directory } = setting;
  const { code, stderr } = await saveInChild(setting, ["python3", "-c", WITHIN_A_MEBIBYTE], [
    `--allow-read=${directory}`,
    `--allow-write=${directory}`,
  ]);
  assertEquals(code, 1);
  assertMatch(
    stderr,
    /HpcaiError: Cannot save .*final\.tar\.gz: the file is larger than allowed \(EFBIG\)/,
  );
  assertEquals(setting.files(), INTERRUPTED);
  const { synced } = JSON.parse(Deno.readTextFileSync(`${stateOf(setting.path)}/part.json`));
  assertEquals(synced, 2 ** 20);
  assertEquals((await setting.save()).at(0)?.loaded, synced);
  setting.assertIsSaved();
});

Deno.test("saveArchive$ without the permission to write reports that and sends nothing", async () => {
  await using setting = new Setting();
  const { code, stderr } = await saveInChild(setting, [], [`--allow-read=${setting.directory}`]);
  assertEquals(code, 1);
  assertMatch(stderr, /HpcaiError: Cannot save .*final\.tar\.gz: the runtime has no permission/);
  assertEquals([setting.files(), setting.fake.requests.length], [[], 0]);
});
