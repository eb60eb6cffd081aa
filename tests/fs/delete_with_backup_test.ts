import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import {
  type CheckpointRef,
  DownloadInterruptedError,
  HpcaiError,
  InvalidArchiveError,
  InvalidArgumentError,
  NotFoundError,
  PermissionDeniedError,
  RestClient,
} from "@hpcai/rx";
import {
  CheckpointNotFoundError,
  deleteWithBackup$,
  type DeleteWithBackupOptions,
} from "@hpcai/rx/fs";
import { FakeHpcai, type Fault } from "@hpcai/rx/testing";
import { firstValueFrom, lastValueFrom, takeWhile, tap, toArray } from "rxjs";
import { sha256 } from "../sha256.ts";
import { whenReleased } from "./path_state.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";
const PATH = `hpcai://${RUN}/weights/step_0010`;
const ARCHIVE_BYTES = 300_000;

/** A fake API, a client of it, and a directory that is removed with the block. */
class Setting implements AsyncDisposable {
  readonly directory = Deno.makeTempDirSync();
  readonly path = `${this.directory}/step_0010.tar.gz`;
  readonly fake = new FakeHpcai({ archiveBytes: ARCHIVE_BYTES });
  readonly client = new RestClient({
    apiKey: this.fake.apiKey,
    fetch: this.fake.fetch,
    retry: { initialDelayMs: 0, maxRetries: 1 },
  });

  run$(checkpoint: CheckpointRef = PATH, options?: DeleteWithBackupOptions) {
    return deleteWithBackup$(this.client, checkpoint, this.path, options);
  }

  run(checkpoint?: CheckpointRef, options?: DeleteWithBackupOptions) {
    return lastValueFrom(this.run$(checkpoint, options).pipe(toArray()));
  }

  /** The operations of the requests. */
  get operations(): (string | undefined)[] {
    return this.fake.requests.map(({ operation }) => operation);
  }

  get sha256(): string {
    return sha256(this.fake.archive(RUN, "step_0010").slice());
  }

  get isListed(): boolean {
    return this.fake.checkpoints(RUN).some(({ checkpointId }) => checkpointId === "step_0010");
  }

  assertNothingDeleted(): void {
    assert(this.isListed);
    assert(!this.operations.includes("deleteCheckpoint"));
  }

  files(): string[] {
    return [...Deno.readDirSync(this.directory)].map(({ name }) => name).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
  }
}

Deno.test("deleteWithBackup$ emits progress, then `complete`, then `deleted`", async () => {
  await using setting = new Setting();
  const listing = await firstValueFrom(setting.client.listCheckpoints$(RUN));
  const expected = setting.sha256;
  const events = await setting.run();
  const { path } = setting;
  const saved = {
    loaded: ARCHIVE_BYTES,
    path,
    size: ARCHIVE_BYTES,
    format: "tar.gz",
    sha256: expected,
  };
  assertEquals(events.map(({ type }) => type), ["progress", "progress", "complete", "deleted"]);
  assertEquals<unknown>(events.slice(-2), [
    { type: "complete", ...saved },
    { type: "deleted", ...saved, checkpoint: listing.checkpoints[0] },
  ]);
  assert(!setting.isListed);
  assertEquals(sha256(Deno.readFileSync(path)), expected);
});

Deno.test("deleteWithBackup$ deletes in its last request, after the file has its name", async () => {
  await using setting = new Setting();
  await lastValueFrom(
    setting.run$().pipe(tap(({ type }) => {
      if (type === "complete") setting.assertNothingDeleted();
      if (type === "complete") assert(setting.files().includes("step_0010.tar.gz"));
    })),
  );
  assertEquals(setting.operations, ["listCheckpoints", "archive", "deleteCheckpoint"]);
});

Deno.test("deleteWithBackup$ neither saves nor deletes a checkpoint that its run does not list", async () => {
  await using setting = new Setting();
  const error = await assertRejects(() => setting.run(`hpcai://${RUN}/weights/nope`));
  assertInstanceOf(error, CheckpointNotFoundError);
  assertEquals([error.trainingRunId, error.checkpointId], [RUN, "nope"]);
  assertEquals(setting.operations, ["listCheckpoints"]);
  assertEquals(setting.files(), []);
});

Deno.test("deleteWithBackup$ neither saves nor deletes a checkpoint that its run lists with another type", async () => {
  await using setting = new Setting();
  const listing = await firstValueFrom(setting.client.listCheckpoints$(RUN));
  const [listed] = listing.checkpoints;
  assert(listed !== undefined);
  const wrong = { ...listed, checkpointType: "sampler" as const };
  for (const checkpoint of [`hpcai://${RUN}/sampler_weights/step_0010`, wrong]) {
    await assertRejects(() => setting.run(checkpoint), CheckpointNotFoundError);
  }
  setting.assertNothingDeleted();
  assertEquals(setting.files(), []);
});

Deno.test("deleteWithBackup$ neither saves nor deletes one of two checkpoints with the same id", async () => {
  await using setting = new Setting();
  const client = new RestClient({
    apiKey: setting.fake.apiKey,
    async fetch(...args) {
      const response = await setting.fake.fetch(...args);
      if (!response.url.endsWith("/checkpoints")) return response;
      return new Response((await response.text()).replaceAll("step_0010-sampler", "step_0010"));
    },
  });
  for (const kind of ["weights", "sampler_weights"]) {
    const checkpoint = `hpcai://${RUN}/${kind}/step_0010`;
    await assertRejects(
      () => lastValueFrom(deleteWithBackup$(client, checkpoint, setting.path)),
      HpcaiError,
      "both types",
    );
  }
  setting.assertNothingDeleted();
  assertEquals(setting.files(), []);
});

Deno.test("deleteWithBackup$ of a run that does not exist fails like the listing of its checkpoints", async () => {
  await using setting = new Setting();
  await assertRejects(() => setting.run("hpcai://nope/weights/final"), NotFoundError);
  assertEquals(setting.files(), []);
});

const INVALID_ARCHIVES: readonly (readonly [string, Fault])[] = [
  ["plain text", { type: "status", status: 200, body: "gzip" }],
  ["an HTML page", { type: "status", status: 200, body: "<html>Welcome</html>" }],
];
for (const [what, fault] of INVALID_ARCHIVES) {
  Deno.test(`deleteWithBackup$ deletes nothing and leaves no file if the archive is ${what}`, async () => {
    await using setting = new Setting();
    setting.fake.faults.add(fault, { on: "archive", times: Infinity });
    await assertRejects(() => setting.run(), InvalidArchiveError);
    setting.assertNothingDeleted();
    assertEquals(setting.files(), []);
  });
}

Deno.test("deleteWithBackup$ resumes a truncated archive to its end before it deletes", async () => {
  await using setting = new Setting();
  const fault = { type: "truncate", afterBytes: 200_000, announceLength: false } as const;
  setting.fake.faults.add(fault, { on: "archive" });
  const expected = setting.sha256;
  await setting.run();
  assertEquals(sha256(Deno.readFileSync(setting.path)), expected);
  assert(!setting.isListed);
});

Deno.test("deleteWithBackup$ deletes nothing if no byte arrives", async () => {
  await using setting = new Setting();
  setting.fake.faults.add({ type: "status", status: 200, body: "" }, { on: "archive", times: 9 });
  await assertRejects(() => setting.run(), DownloadInterruptedError);
  setting.assertNothingDeleted();
  assert(!setting.files().includes("step_0010.tar.gz"));
});

Deno.test("deleteWithBackup$ deletes nothing if a byte of the archive is wrong", async () => {
  await using setting = new Setting();
  const client = new RestClient({
    apiKey: setting.fake.apiKey,
    async fetch(...args) {
      const response = await setting.fake.fetch(...args);
      if (!response.url.endsWith("/archive")) return response;
      const bytes = new Uint8Array(await response.arrayBuffer());
      bytes[200_000] = (bytes[200_000] ?? 0) ^ 1;
      return new Response(bytes, response);
    },
  });
  const broken$ = deleteWithBackup$(client, PATH, setting.path);
  await assertRejects(() => lastValueFrom(broken$), InvalidArchiveError);
  setting.assertNothingDeleted();
  assertEquals(setting.files(), []);
});

Deno.test("deleteWithBackup$ deletes nothing if the backup on disk is damaged", async () => {
  await using setting = new Setting();
  setting.fake.faults.add({ type: "status", status: 403 }, { on: "deleteCheckpoint" });
  await assertRejects(() => setting.run(), PermissionDeniedError);
  const { mtime } = Deno.statSync(setting.path);
  const bytes = Deno.readFileSync(setting.path);
  bytes.fill(0, 1000, 2000);
  Deno.writeFileSync(setting.path, bytes);
  Deno.utimeSync(setting.path, mtime ?? 0, mtime ?? 0); // A failing disk changes no time.
  await assertRejects(() => setting.run(), InvalidArchiveError);
  assert(setting.isListed);
});

Deno.test("deleteWithBackup$ deletes nothing if the path exists", async () => {
  await using setting = new Setting();
  Deno.writeTextFileSync(setting.path, "mine");
  await assertRejects(() => setting.run(), InvalidArgumentError);
  setting.assertNothingDeleted();
  assertEquals(Deno.readTextFileSync(setting.path), "mine");
});

Deno.test("deleteWithBackup$ whose deletion fails keeps the backup, and does not transfer it again", async () => {
  await using setting = new Setting();
  setting.fake.faults.add({ type: "status", status: 403 }, { on: "deleteCheckpoint" });
  const types: string[] = [];
  const failing$ = setting.run$().pipe(tap(({ type }) => types.push(type)));
  await assertRejects(() => lastValueFrom(failing$), PermissionDeniedError);
  assertEquals(types.at(-1), "complete");
  assertEquals(sha256(Deno.readFileSync(setting.path)), setting.sha256);

  const [first] = await setting.run();
  assertEquals(first?.loaded, ARCHIVE_BYTES);
  assert(!setting.isListed);
});

for (const last of ["progress", "complete"]) {
  Deno.test(`deleteWithBackup$ that is unsubscribed at ${last} deletes nothing`, async () => {
    await using setting = new Setting();
    const events$ = setting.run$().pipe(takeWhile(({ type }) => type !== last));
    await lastValueFrom(events$, { defaultValue: undefined });
    // The files are released after the unsubscription.
    await whenReleased(setting.path);
    setting.assertNothingDeleted();
  });
}

Deno.test("deleteWithBackup$ verifies the archive with any options", async () => {
  await using setting = new Setting();
  setting.fake.faults.add({ type: "status", status: 200, body: "?" }, { on: "archive" });
  const options = { verify: false, sha256: false };
  await assertRejects(() => setting.run(PATH, options), InvalidArchiveError);
  setting.assertNothingDeleted();
});

Deno.test("deleteWithBackup$ applies the options of saving", async () => {
  await using setting = new Setting();
  Deno.writeTextFileSync(setting.path, "old");
  const expected = setting.sha256;
  const events = await setting.run(PATH, { overwrite: true, sha256: false, progressIntervalMs: 0 });
  const deleted = events.at(-1);
  assert(deleted?.type === "deleted");
  assertEquals(deleted.sha256, undefined);
  assertEquals(sha256(Deno.readFileSync(setting.path)), expected);
  assert(!setting.isListed);
});

for (
  const [argument, checkpoint, path, options] of [
    ["checkpointPath", "step_0010", "a.tar.gz", {}],
    ["path", PATH, "", {}],
    ["path", PATH, "directory/", {}],
    ["options", PATH, "a.tar.gz", null],
    ["idleTimeoutMs", PATH, "a.tar.gz", { idleTimeoutMs: 0 }],
    ["overwrite", PATH, "a.tar.gz", { overwrite: "false" }],
  ] as const
) {
  Deno.test(`deleteWithBackup$ rejects an invalid ${argument} (${Deno.inspect([path, options])}) before any request`, async () => {
    await using setting = new Setting();
    const failing$ = deleteWithBackup$(
      setting.client,
      checkpoint,
      path,
      options as DeleteWithBackupOptions, // JavaScript callers can pass other values.
    );
    const error = await assertRejects(() => lastValueFrom(failing$));
    assertInstanceOf(error, InvalidArgumentError);
    assertEquals(error.argument, argument);
    assertEquals(setting.operations, []);
  });
}
