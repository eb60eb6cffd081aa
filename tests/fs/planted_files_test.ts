import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { HpcaiError, InvalidArgumentError, RestClient } from "@hpcai/rx";
import { extractArchive$, PathExistsError, saveArchive$, type SaveOptions } from "@hpcai/rx/fs";
import { FakeHpcai } from "@hpcai/rx/testing";
import { lastValueFrom } from "rxjs";
import { sha256 } from "../sha256.ts";
import { lockOf, plantState, stateFiles, stateOf, stateRoot } from "./path_state.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";
const CHECKPOINT = { trainingRunId: RUN, checkpointId: "step_0010" };
const ARCHIVE_BYTES = 300_000;

/** The time limit of a save. */
const LIMIT_MS = 10_000;

/** A directory that other users can write to, removed with the block, and a file of another user. */
class Setting implements AsyncDisposable {
  readonly directory = Deno.makeTempDirSync();
  readonly path = `${this.directory}/final.tar.gz`;
  readonly victim = `${this.directory}/victim`;
  readonly fake = new FakeHpcai({ archiveBytes: ARCHIVE_BYTES });
  readonly client = new RestClient({
    apiKey: this.fake.apiKey,
    fetch: this.fake.fetch,
    retry: false,
  });

  constructor() {
    Deno.writeTextFileSync(this.victim, "precious");
  }

  async save(options: SaveOptions = {}, path = this.path) {
    const signal = AbortSignal.timeout(LIMIT_MS);
    const hung = new Promise<never>((_resolve, reject) =>
      signal.addEventListener("abort", () => reject(new Error("The save hangs")))
    );
    hung.catch(() => {});
    return await Promise.race([
      lastValueFrom(saveArchive$(this.client, CHECKPOINT, path, options)),
      hung,
    ]);
  }

  get sha256(): string {
    return sha256(this.fake.archive(RUN, "step_0010").slice());
  }

  get etag(): string {
    return this.fake.archive(RUN, "step_0010").etag;
  }

  record(synced: number): string {
    return JSON.stringify({ name: "final.tar.gz", ...CHECKPOINT, etag: this.etag, synced });
  }

  assertIsSaved(): void {
    assertEquals(sha256(Deno.readFileSync(this.path)), this.sha256);
    assertEquals(stateFiles(this.path), ["file.json"]);
  }

  assertVictimUnchanged(): void {
    assertEquals(Deno.readTextFileSync(this.victim), "precious");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run("chmod", "-R", "u+rwX", this.directory);
    await Deno.remove(this.directory, { recursive: true });
  }
}

/** Runs a command; Deno itself creates links only with the permission to read and write everything. */
async function run(...command: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("bash", {
    args: ["-c", '"$@"', "bash", ...command],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

/** Entries that another user can plant at the name of a state file. */
const plants: Record<string, (setting: Setting, path: string) => Promise<void>> = {
  "a symbolic link": ({ victim }, path) => run("ln", "-s", victim, path),
  "a dangling link": ({ victim }, path) => run("ln", "-s", `${victim}.missing`, path),
  "a hard link": ({ victim }, path) => run("ln", victim, path),
  "a FIFO": (_setting, path) => run("mkfifo", path),
  "a directory": (_setting, path) => run("mkdir", "-p", `${path}/in/it`),
};

for (const [what, plant] of Object.entries(plants)) {
  for (const name of ["part", "part.json", "part.json.tmp", "file.json", "converted", "new"]) {
    Deno.test(`saveArchive$ neither follows nor waits for ${what} at ${name} in its state`, async () => {
      await using setting = new Setting();
      const state = plantState(setting.path);
      await plant(setting, `${state}/${name}`);
      await setting.save();
      setting.assertIsSaved();
      setting.assertVictimUnchanged();
      assertEquals(await exists(`${setting.victim}.missing`), false);
    });
  }
}

for (const what of ["a symbolic link", "a dangling link", "a FIFO", "a directory"]) {
  Deno.test(`saveArchive$ fails on ${what} at its lock`, async () => {
    await using setting = new Setting();
    plantState(setting.path);
    await plants[what]?.(setting, lockOf(setting.path));
    const error = await assertRejects(() => setting.save(), HpcaiError);
    assertMatch(error.message, /Cannot lock .*\.lock: it is a .*, not a file/);
    assertEquals(setting.fake.requests.length, 0);
    setting.assertVictimUnchanged();
  });
}

/** Parts with a valid record that another user can have written, or can write to. */
const forgedParts: Record<string, (setting: Setting, part: string) => Promise<void>> = {
  "has a second name": ({ directory }, part) => run("ln", part, `${directory}/second`),
  "others can write to": (_setting, part) => run("chmod", "0602", part),
  "its group can write to": (_setting, part) => run("chmod", "0620", part),
  "is a symbolic link": async (_setting, part) => {
    await run("mv", part, `${part}.real`);
    await run("ln", "-s", `${part}.real`, part);
  },
};
for (const [what, forge] of Object.entries(forgedParts)) {
  Deno.test(`saveArchive$ does not resume a part that ${what}`, async () => {
    await using setting = new Setting();
    const state = plantState(setting.path, {
      part: new Uint8Array(100_000).fill(7),
      "part.json": setting.record(100_000),
    });
    await forge(setting, `${state}/part`);
    await setting.save();
    assertEquals(sha256(Deno.readFileSync(setting.path)), setting.sha256);
  });
}

Deno.test("saveArchive$ does not use state from a directory that others can write to", async () => {
  await using setting = new Setting();
  const state = plantState(setting.path, {
    part: new Uint8Array(100_000).fill(7),
    "part.json": setting.record(100_000),
  });
  await run("chmod", "0777", state);
  await setting.save();
  setting.assertIsSaved();
});

Deno.test("saveArchive$ keeps files of a user that have the names of version 0.1", async () => {
  await using setting = new Setting();
  const names = ["part", "part.json", "part.lock", "etag.json"];
  for (const name of names) Deno.writeTextFileSync(`${setting.path}.${name}`, "mine");
  await setting.save();
  for (const name of names) {
    assertEquals(Deno.readTextFileSync(`${setting.path}.${name}`), "mine");
  }
  setting.assertIsSaved();
});

/** State directories that cannot be trusted. */
const untrustedRoots: Record<string, readonly [(root: string) => Promise<void>, RegExp]> = {
  "is a link": [async (root) => {
    await run("mkdir", `${root}.real`);
    await run("ln", "-s", `${root}.real`, root);
  }, /is a symbolic link, not a directory/],
  "is a dangling link": [
    (root) => run("ln", "-s", `${root}.missing`, root),
    /is a symbolic link, not a directory/,
  ],
  "is a file": [(root) => run("touch", root), /is a file, not a directory/],
  "is a FIFO": [(root) => run("mkfifo", root), /is a FIFO, not a directory/],
  "its group can write to": [
    (root) => run("mkdir", "-m", "0770", root),
    /can be written to by other users/,
  ],
  "others can write to": [
    (root) => run("mkdir", "-m", "0702", root),
    /can be written to by other users/,
  ],
};
for (const [what, [plant, message]] of Object.entries(untrustedRoots)) {
  Deno.test(`saveArchive$ and extractArchive$ fail where .hpcai-rx ${what}`, async () => {
    await using setting = new Setting();
    await plant(stateRoot(setting.path));
    const error = await assertRejects(() => setting.save(), HpcaiError);
    assertMatch(error.message, message);
    assertEquals(setting.fake.requests.length, 0);
    const directory = `${setting.directory}/final`;
    await assertRejects(
      () => lastValueFrom(extractArchive$(setting.client, CHECKPOINT, directory)),
      HpcaiError,
      error.message.replace(/^Cannot save .*?: /, ""),
    );
    assertEquals([await exists(setting.path), await exists(directory)], [false, false]);
  });
}

const isRoot = new TextDecoder().decode(
  new Deno.Command("bash", { args: ["-c", "id -u"] }).outputSync().stdout,
) === "0\n";

Deno.test({
  name: "saveArchive$ uses .hpcai-rx-<uid> where another user owns .hpcai-rx",
  ignore: !isRoot, // Only root can give a directory away.
  async fn() {
    await using setting = new Setting();
    const other = stateRoot(setting.path);
    await run("mkdir", "-m", "0755", other);
    await run("chown", "12345", other);
    await setting.save();
    assertEquals(sha256(Deno.readFileSync(setting.path)), setting.sha256);
    assertEquals([...Deno.readDirSync(other)], []);
    assertEquals([...Deno.readDirSync(`${other}-0`)].length, 1);
    const requests = setting.fake.requests.length;
    await setting.save();
    assertEquals(setting.fake.requests.at(-1)?.headers.get("Range"), `bytes=${ARCHIVE_BYTES}-`);
    assertEquals(setting.fake.requests.length, requests + 1);
  },
});

const BIND = "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])";

/** Targets that are not files, so that a save does not replace them. */
const targets: Record<string, readonly [(setting: Setting) => Promise<void>, RegExp]> = {
  "a symbolic link to a file": [
    ({ victim, path }) => run("ln", "-s", victim, path),
    /is a symbolic link, not a file/,
  ],
  "a dangling link": [
    ({ victim, path }) => run("ln", "-s", `${victim}.missing`, path),
    /is a symbolic link, not a file/,
  ],
  "a FIFO": [({ path }) => run("mkfifo", path), /is a FIFO, not a file/],
  "a socket": [
    ({ path }) => run("python3", "-c", BIND, path),
    /is a socket, not a file/,
  ],
};
for (const [what, [plant, message]] of Object.entries(targets)) {
  for (const overwrite of [false, true]) {
    Deno.test(`saveArchive$ with overwrite: ${overwrite} does not replace ${what}`, async () => {
      await using setting = new Setting();
      await plant(setting);
      const before = await Deno.lstat(setting.path);
      const error = await assertRejects(() => setting.save({ overwrite }), InvalidArgumentError);
      assertMatch(error.message, message);
      assert(!(error instanceof PathExistsError), "overwrite would not help");
      assertEquals(setting.fake.requests.length, 0);
      assertEquals((await Deno.lstat(setting.path)).ino, before.ino);
      assertEquals(await exists(stateRoot(setting.path)), false);
      setting.assertVictimUnchanged();
    });
  }
}

Deno.test("saveArchive$ does not replace a device", async () => {
  await using setting = new Setting();
  const error = await assertRejects(
    () => setting.save({ overwrite: true }, "/dev/null"),
    InvalidArgumentError,
  );
  assertMatch(error.message, /\/dev\/null is a device, not a file/);
});

for (const kind of ["file", "FIFO", "link"]) {
  Deno.test(`extractArchive$ does not replace a ${kind}, even with overwrite`, async () => {
    await using setting = new Setting();
    const target = `${setting.directory}/final`;
    if (kind === "file") await run("touch", target);
    else if (kind === "FIFO") await run("mkfifo", target);
    else await run("ln", "-s", setting.directory, target);
    const extract$ = extractArchive$(setting.client, CHECKPOINT, target, { overwrite: true });
    const error = await assertRejects(() => lastValueFrom(extract$), InvalidArgumentError);
    assertMatch(error.message, /is a .*, not a directory/);
    assertEquals(setting.fake.requests.length, 0);
  });
}

Deno.test("saveArchive$ creates state that only its owner can read, and a file with the usual mode", async () => {
  await using setting = new Setting();
  const modes: number[] = [];
  await saveArchive$(setting.client, CHECKPOINT, setting.path).forEach(({ type }) => {
    if (type !== "progress" || modes.length > 0) return;
    const state = stateOf(setting.path);
    for (const path of [stateRoot(setting.path), state, `${state}/part`, lockOf(setting.path)]) {
      modes.push((Deno.lstatSync(path).mode ?? 0) & 0o777);
    }
  });
  assertEquals(modes, [0o700, 0o700, 0o600, 0o600]);
  const usual = `${setting.directory}/usual`;
  Deno.writeTextFileSync(usual, "");
  assertEquals(Deno.statSync(setting.path).mode, Deno.statSync(usual).mode);
  assertEquals((Deno.lstatSync(`${stateOf(setting.path)}/file.json`).mode ?? 0) & 0o777, 0o600);
});

Deno.test("saveArchive$ saves under the longest name that the file system allows", async () => {
  await using setting = new Setting();
  const name = `${"n".repeat(255 - ".tar.gz".length)}.tar.gz`;
  const path = `${setting.directory}/${name}`;
  await setting.save({}, path);
  assertEquals(sha256(Deno.readFileSync(path)), setting.sha256);
  const directory = "d".repeat(255);
  const target = `${setting.directory}/${directory}`;
  const extracted = await lastValueFrom(extractArchive$(setting.client, CHECKPOINT, target));
  assertEquals(extracted.type, "complete");
  await assertRejects(
    () => setting.save({}, `${setting.directory}/${"n".repeat(256)}`),
    HpcaiError,
  );
});

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}
