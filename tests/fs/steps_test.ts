import { assert, assertEquals, assertMatch } from "@std/assert";
import { RestClient } from "@hpcai/rx";
import { extractArchive$, saveArchive$ } from "@hpcai/rx/fs";
import { FakeHpcai } from "@hpcai/rx/testing";
import { setTimeout as delay } from "node:timers/promises";
import { lastValueFrom } from "rxjs";
import { serve } from "../integration/loopback_server.ts";
import { namesIn } from "../temporary_directory.ts";
import { sha256 } from "../sha256.ts";
import { expireLock, lockOf, stateFiles, stateOf, stateRoot } from "./path_state.ts";
import {
  type RunningSaver,
  RUNTIMES,
  type StepAction,
  StepRunner,
  unsupportedReason,
} from "./steps.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";
const CHECKPOINT = { trainingRunId: RUN, checkpointId: "step_0010" };
const ARCHIVE_BYTES = 100_000;

/** More steps than any run has. */
const MAX_STEPS = 100;

/** How many steps are tried concurrently. */
const CONCURRENCY = 3;

const EIO = 5;
const ENOSPC = 28;
const EDQUOT = 122;

/** Two archives under one path of the API: the second one after the server has changed. */
class Setting implements AsyncDisposable {
  readonly root = Deno.makeTempDirSync();
  readonly runner = new StepRunner(this.root);
  readonly fakes = [1, 2].map((seed) => new FakeHpcai({ seed, archiveBytes: ARCHIVE_BYTES }));
  /** The keys that get the second archive; a key is the path of a save. */
  readonly changed = new Set<string>();
  /** How long each third of an archive takes, in milliseconds. */
  chunkDelayMs = 0;
  readonly #server = serve((request) => this.#respond(request));

  async #respond(request: Request): Promise<Response> {
    const headers = new Headers(request.headers);
    const fake = this.fakes[this.changed.has(headers.get("X-API-Key") ?? "") ? 1 : 0];
    headers.set("X-API-Key", fake?.apiKey ?? "");
    const run = fake?.trainingRunIds[0] ?? "";
    const id = fake?.checkpoints(run)[0]?.checkpointId ?? "";
    const url = request.url.replace(RUN, run).replace("step_0010", id);
    const response = await fake?.handler(new Request(url, { headers }));
    if (response === undefined || this.chunkDelayMs === 0) return response ?? new Response();
    const bytes = new Uint8Array(await response.arrayBuffer());
    const third = Math.ceil(bytes.byteLength / 3);
    let at = 0;
    const body = new ReadableStream({
      pull: async (controller) => {
        if (at >= bytes.byteLength) return controller.close();
        if (at > 0) await delay(this.chunkDelayMs);
        controller.enqueue(bytes.slice(at, at + third));
        at += third;
      },
    });
    return new Response(body, response);
  }

  sha256(archive = 0): string {
    const fake = this.fakes[archive];
    const run = fake?.trainingRunIds[0] ?? "";
    const id = fake?.checkpoints(run)[0]?.checkpointId ?? "";
    return sha256(fake?.archive(run, id).slice() ?? new Uint8Array());
  }

  client(path: string): RestClient {
    return new RestClient({ apiKey: path, baseUrl: this.#server.url, retry: false });
  }

  /** Starts a saver in another process. */
  start(
    runtime: typeof RUNTIMES[number],
    path: string,
    options: { readonly overwrite?: boolean; readonly isExtracted?: boolean },
    action?: StepAction,
  ): RunningSaver {
    const directory = path.slice(0, path.lastIndexOf("/"));
    const saverOptions = {
      apiKey: path,
      baseUrl: this.#server.url,
      path,
      ...options,
    };
    return this.runner.start(runtime, directory, saverOptions, action);
  }

  /** Saves in this process after a saver was killed or stopped; returns the last event. */
  save(path: string, overwrite = false) {
    expireLock(path);
    return lastValueFrom(saveArchive$(this.client(path), CHECKPOINT, path, { overwrite }));
  }

  extract(path: string) {
    const options = { overwrite: true };
    expireLock(path);
    return lastValueFrom(extractArchive$(this.client(path), CHECKPOINT, path, options));
  }

  /** Runs an attempt for each step, until one has no such step; resolves to the number of steps. */
  async forEachStep(
    attempt: (directory: string, at: number) => Promise<boolean>,
  ): Promise<number> {
    let next = 1;
    let reached = 0;
    let isOver = false;
    const work = async () => {
      while (!isOver) {
        const at = next++;
        assert(at < MAX_STEPS);
        const directory = await Deno.makeTempDir({ dir: this.root });
        if (await attempt(directory, at)) reached = Math.max(reached, at);
        else isOver = true;
        await Deno.remove(directory, { recursive: true });
      }
    };
    const works = await Promise.allSettled(
      Array.from({ length: CONCURRENCY }, () => work().finally(() => isOver = true)),
    );
    for (const { status, ...rest } of works) {
      if (status === "rejected" && "reason" in rest) throw rest.reason;
    }
    return reached;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.runner[Symbol.asyncDispose]();
    await this.#server[Symbol.asyncDispose]();
    await Deno.remove(this.root, { recursive: true });
  }
}

function sha256Of(path: string): string | undefined {
  try {
    return sha256(Deno.readFileSync(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Checks that only the file and its record are left. */
function assertNothingElse(path: string): void {
  const directory = path.slice(0, path.lastIndexOf("/"));
  assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name).sort(), [
    ".hpcai-rx",
    path.slice(directory.length + 1),
  ]);
  assertEquals([...Deno.readDirSync(stateRoot(path))].length, 1);
  assertEquals(stateFiles(path), ["file.json"]);
}

const reason = unsupportedReason();

function test(name: string, run: (setting: Setting) => Promise<void>): void {
  Deno.test({
    name: reason === undefined ? name : `${name} (${reason})`,
    ignore: reason !== undefined,
    async fn() {
      await using setting = new Setting();
      await setting.runner.prepare();
      await run(setting);
    },
  });
}

for (const runtime of RUNTIMES) {
  for (const name of ["final.tar.gz", "final.tar"]) {
    test(`saveArchive$ (${runtime}) killed before any step of saving ${name} is completed by the next save`, async (setting) => {
      const sha256 = name === "final.tar" ? undefined : setting.sha256();
      const steps = await setting.forEachStep(async (directory, at) => {
        const path = `${directory}/${name}`;
        const { signal } = await setting.start(runtime, path, {}, { at, do: "kill" }).outcome;
        const early = sha256Of(path);
        const complete = await setting.save(path);
        assert(complete.type === "complete");
        assertEquals(complete.sha256, sha256 ?? complete.sha256);
        assertEquals(sha256Of(path), complete.sha256);
        assert(early === undefined || early === complete.sha256);
        assertNothingElse(path);
        return signal === "SIGKILL";
      });
      assert(steps > 20);
    });
  }

  test(`saveArchive$ (${runtime}) stopped past its lease before any step keeps the file of the next save`, async (setting) => {
    const sha256 = setting.sha256();
    const steps = await setting.forEachStep(async (directory, at) => {
      const path = `${directory}/final.tar.gz`;
      const saver = setting.start(runtime, path, {}, { at, do: "stop" });
      await saver.whenStopped();
      const early = sha256Of(path);
      const hadLock = saver.steps().slice(0, at - 1).some((step) => step.endsWith(".lock"));
      const wasStopped = saver.steps().length >= at;
      const complete = await setting.save(path);
      assert(complete.type === "complete" && complete.sha256 === sha256);
      const before = Deno.statSync(path);
      saver.continue();
      const { code, stdout, stderr } = await saver.outcome;
      if (code === 0) assertEquals(JSON.parse(stdout).sha256, sha256);
      else assertMatch(stderr, /HpcaiError: Cannot write .*: another process has taken over/);
      // It can succeed only if it had named the file, or did not have the lock before.
      assert(code === 1 || early !== undefined || !hadLock);
      const after = Deno.statSync(path);
      assertEquals([after.ino, after.mtime], [before.ino, before.mtime]);
      assertEquals(sha256Of(path), sha256);
      await setting.save(path);
      assertNothingElse(path);
      return wasStopped;
    });
    assert(steps > 20);
  });

  test(`saveArchive$ (${runtime}) stopped past its lease before any step keeps a newer archive`, async (setting) => {
    const [older, newer] = [setting.sha256(0), setting.sha256(1)];
    const steps = await setting.forEachStep(async (directory, at) => {
      const path = `${directory}/final.tar.gz`;
      Deno.writeTextFileSync(path, "old");
      const saver = setting.start(runtime, path, { overwrite: true }, { at, do: "stop" });
      await saver.whenStopped();
      const wasStopped = saver.steps().length >= at;
      const hadName = sha256Of(path) === older;
      // Later requests of the stopped saver get the newer archive, too.
      setting.changed.add(path);
      const complete = await setting.save(path, true);
      assert(complete.type === "complete" && complete.sha256 === newer);
      saver.continue();
      const { code, stdout, stderr } = await saver.outcome;
      if (code === 0) assertEquals(JSON.parse(stdout).sha256, hadName ? older : newer);
      else {assertMatch(
          stderr,
          /HpcaiError: .*another process has (taken over|replaced)/,
        );}
      assertEquals(sha256Of(path), newer);
      return wasStopped;
    });
    assert(steps > 20);
  });

  test(`saveArchive$ (${runtime}) fails when any sync fails, and the next save discards unsynced bytes`, async (setting) => {
    setting.chunkDelayMs = 300;
    const steps = await setting.forEachStep(async (directory, at) => {
      const path = `${directory}/final.tar.gz`;
      const action = { at, do: EIO, calls: "fsync,fdatasync" };
      const { code, stderr } = await setting.start(runtime, path, {}, action).outcome;
      assert([undefined, setting.sha256()].includes(sha256Of(path)));
      if (code === 1) assertMatch(stderr, /HpcaiError: Cannot save .*\(EIO\)/);
      assertEquals((await setting.save(path)).type, "complete");
      assertEquals(sha256Of(path), setting.sha256());
      assertNothingElse(path);
      return code === 1;
    });
    assert(steps >= 5);
  });

  test(`saveArchive$ (${runtime}) reports an exceeded quota with advice`, async (setting) => {
    const action = { at: 1, do: EDQUOT, calls: "write", isRepeated: true };
    const path = `${setting.root}/final.tar.gz`;
    const { code, stderr } = await setting.start(runtime, path, {}, action).outcome;
    assertEquals(code, 1);
    assertMatch(stderr, /Cannot save .*: the disk quota is exceeded \(EDQUOT\)\. Free disk space/);
  });

  test(`saveArchive$ (${runtime}) fails on a disk that is full at any write, and the next save completes`, async (setting) => {
    const steps = await setting.forEachStep(async (directory, at) => {
      const path = `${directory}/final.tar.gz`;
      const action = { at, do: ENOSPC, calls: "open,mkdir,write", isRepeated: true };
      const { code, stderr } = await setting.start(runtime, path, {}, action).outcome;
      if (code === 1) {
        assertMatch(stderr, /HpcaiError: Cannot save .*: the disk is full \(ENOSPC\)/);
      }
      assertEquals(sha256Of(path), code === 1 ? undefined : setting.sha256());
      assertEquals((await setting.save(path)).type, "complete");
      assertEquals(sha256Of(path), setting.sha256());
      assertNothingElse(path);
      return code === 1;
    });
    assert(steps >= 5);
  });
}

/** Creates an older directory, which the two runtimes replace with different calls. */
function oldDirectory(parent: string): string {
  const directory = `${parent}/final`;
  Deno.mkdirSync(directory);
  Deno.writeTextFileSync(`${directory}/old`, "old");
  return directory;
}

const NAMES = [
  "README.md",
  "adapter_config.json",
  "adapter_model.safetensors",
  "special_tokens_map.json",
  "tokenizer_config.json",
];

test("extractArchive$ (deno) killed before any step leaves nothing after the next extraction", async (setting) => {
  const steps = await setting.forEachStep(async (parent, at) => {
    const directory = oldDirectory(parent);
    const options = { overwrite: true, isExtracted: true };
    const { signal } = await setting.start("deno", directory, options, { at, do: "kill" }).outcome;
    await setting.extract(directory);
    assertEquals(await namesIn(directory), NAMES);
    assertEquals(await namesIn(parent), ["final"]);
    return signal === "SIGKILL";
  });
  assert(steps > 30);
});

test("saveArchive$ removes the files of an extraction that was killed before any step", async (setting) => {
  const steps = await setting.forEachStep(async (parent, at) => {
    const directory = oldDirectory(parent);
    const options = { overwrite: true, isExtracted: true };
    const { signal } = await setting.start("node", directory, options, { at, do: "kill" }).outcome;
    expireLock(directory);
    const path = `${parent}/other.tar.gz`;
    await setting.save(path);
    const names = await namesIn(directory);
    assertEquals(names, names.includes("old") ? ["old"] : NAMES);
    const left = (await Array.fromAsync(Deno.readDir(stateRoot(path)), ({ name }) => name))
      .filter((name) => !stateOf(path).endsWith(name) && !lockOf(directory).endsWith(name));
    assertEquals(left, []);
    return signal === "SIGKILL";
  });
  assert(steps > 30);
});

test("extractArchive$ (node) stopped past its lease before any step keeps a newer directory", async (setting) => {
  const steps = await setting.forEachStep(async (parent, at) => {
    const directory = oldDirectory(parent);
    const options = { overwrite: true, isExtracted: true };
    const saver = setting.start("node", directory, options, { at, do: "stop" });
    await saver.whenStopped();
    const wasStopped = saver.steps().length >= at;
    await setting.extract(directory);
    const { ino } = Deno.statSync(directory);
    saver.continue();
    const { code, stderr } = await saver.outcome;
    if (code === 1) assertMatch(stderr, /HpcaiError: .*another process has taken over/);
    assertEquals(await namesIn(directory), NAMES);
    // A saver that had not had the lock yet extracts again.
    assert(code === 0 || Deno.statSync(directory).ino === ino);
    assertEquals(await namesIn(parent), ["final"]);
    return wasStopped;
  });
  assert(steps > 30);
});
