import { assert, assertEquals, assertRejects } from "@std/assert";
import { HpcaiError } from "@hpcai/rx";
import { setTimeout as delay } from "node:timers/promises";
import { claimPath, type PathClaim } from "../../src/fs/path_claim.ts";
import { lockOf, plantState, stateFiles, stateOf } from "./path_state.ts";

const LEASE_MS = 120;

/** The time limit of a claim. */
const LIMIT_MS = 10_000;

/** A directory that is removed with the block, and a path in it. */
class Setting implements Disposable {
  readonly root = Deno.makeTempDirSync();
  readonly path = `${this.root}/final.tar.gz`;

  claim(signal = AbortSignal.timeout(LIMIT_MS)): Promise<PathClaim> {
    return claimPath({ root: this.root, name: "final.tar.gz" }, signal, LEASE_MS);
  }

  /** Makes the state and the lock of another process, with a file to recognize it by. */
  plantHolder(): void {
    plantState(this.path, { part: "bytes" });
    Deno.writeTextFileSync(lockOf(this.path), "");
  }

  /** Renews the lock, as a live process does, until the block ends. */
  renewLock(): Disposable {
    const timer = setInterval(() => Deno.utimeSync(lockOf(this.path), new Date(), new Date()), 10);
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.root, { recursive: true });
  }
}

Deno.test("claimPath takes over the state of a holder that does not renew its lock for a lease", async () => {
  using setting = new Setting();
  setting.plantHolder();
  const before = stateOf(setting.path);
  const startedAt = performance.now();
  const claim = await setting.claim();
  assert(performance.now() - startedAt >= LEASE_MS / 2);
  assertEquals(stateOf(setting.path), claim.directory);
  assert(before !== claim.directory);
  assertEquals(stateFiles(setting.path), ["lock", "part"]);
  await claim.release();
  assertEquals(stateFiles(setting.path), ["part"]);
});

Deno.test("claimPath fails while the holder renews its lock", async () => {
  using setting = new Setting();
  setting.plantHolder();
  using _holder = setting.renewLock();
  await assertRejects(() => setting.claim(), HpcaiError, "another process is writing it");
  assertEquals(stateFiles(setting.path), ["lock", "part"]);
});

Deno.test("claimPath takes a path at once whose lock is gone", async () => {
  using setting = new Setting();
  setting.plantHolder();
  const claiming = setting.claim();
  await delay(LEASE_MS / 6);
  Deno.removeSync(lockOf(setting.path));
  const removedAt = performance.now();
  const claim = await claiming;
  assert(performance.now() - removedAt < LEASE_MS);
  await claim.release();
});

Deno.test("claimPath that is aborted while it waits leaves the lock", async () => {
  using setting = new Setting();
  setting.plantHolder();
  const controller = new AbortController();
  const claiming = setting.claim(controller.signal);
  await delay(LEASE_MS / 6);
  controller.abort();
  await assertRejects(() => claiming, Error, "abort");
  assertEquals(stateFiles(setting.path), ["lock", "part"]);
});

Deno.test("claimPath returns a claim that keeps its lock for longer than a lease", async () => {
  using setting = new Setting();
  const claim = await setting.claim();
  await delay(2 * LEASE_MS);
  await claim.requireHeld();
  await claim.confirm();
  await claim.release();
});

Deno.test("claimPath returns a claim that fails if another process has its lock, and leaves that lock", async () => {
  using setting = new Setting();
  const claim = await setting.claim();
  Deno.removeSync(lockOf(setting.path));
  Deno.writeTextFileSync(lockOf(setting.path), "another");
  await assertRejects(() => claim.confirm(), HpcaiError, "another process has taken over");
  await claim.release();
  assertEquals(Deno.readTextFileSync(lockOf(setting.path)), "another");
});
