import { assert, assertEquals } from "@std/assert";
import { FakeHpcai } from "@hpcai/rx/testing";
import { setTimeout as delay } from "node:timers/promises";
import { seededRandom } from "../../src/testing/seeded_random.ts";
import { serve } from "../integration/loopback_server.ts";
import { sha256 } from "../sha256.ts";
import { expireLock, stateFiles, stateOf } from "./path_state.ts";
import type { SaverOptions } from "./saver.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";
const ARCHIVE_BYTES = 64 * 2 ** 20;
const KILLS = 50;

/** Slow enough that the archive takes longer than all savers run in total. */
const CHUNK_DELAY_MS = 8;

/** Every tenth saver that is killed leaves its lock, so that the next waits for the lease. */
const LOCK_INTERVAL = 10;

/** Slows responses down. */
class Throttle {
  isOn = true;

  slow({ body, status, headers }: Response): Response {
    const slowed = body?.pipeThrough(
      new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
        transform: async (chunk, controller) => {
          for (let at = 0; at < chunk.byteLength; at += 2 ** 16) {
            const piece = chunk.subarray(at, at + 2 ** 16);
            controller.enqueue(piece);
            if (this.isOn) await delay(CHUNK_DELAY_MS);
          }
        },
      }),
    );
    return new Response(slowed, { status, headers });
  }
}

function startSaver(options: SaverOptions, directory: string): Deno.ChildProcess {
  const flags = ["--no-check", "--no-prompt", "--allow-net=127.0.0.1"];
  const permissions = [`--allow-read=${directory}`, `--allow-write=${directory}`];
  const saver = new URL("saver.ts", import.meta.url).href;
  const args = ["run", ...flags, ...permissions, saver, JSON.stringify(options)];
  return new Deno.Command(Deno.execPath(), { args, stdout: "piped" }).spawn();
}

Deno.test(`saveArchive$ completes a file whose saver is killed ${KILLS} times`, async () => {
  const directory = await Deno.makeTempDir();
  const fake = new FakeHpcai({ archiveBytes: ARCHIVE_BYTES });
  const throttle = new Throttle();
  let onRequest = () => {};
  await using server = serve(async (request) => {
    onRequest();
    return throttle.slow(await fake.handler(request));
  });
  const path = `${directory}/final.tar.gz`;
  const options = { apiKey: fake.apiKey, baseUrl: server.url, path };
  const random = seededRandom(1);
  const lengths: number[] = [];
  try {
    for (let kill = 0; kill < KILLS; kill++) {
      const requested = new Promise<void>((resolve) => onRequest = resolve);
      const saver = startSaver(options, directory);
      // Alternately during the transfer, and at any time from the start of the process.
      if (kill % 2 === 0) await requested;
      await delay(random.int(kill % 2 === 0 ? 400 : 600));
      saver.kill("SIGKILL");
      await saver.stdout.cancel();
      await saver.status;
      if (kill % LOCK_INTERVAL !== 1) expireLock(path);
      const record = await Deno.readTextFile(`${stateOf(path)}/part.json`).catch(() => "{}");
      lengths.push(JSON.parse(record).synced ?? 0);
    }
    throttle.isOn = false;
    const { success, stdout } = await startSaver(options, directory).output();
    assert(success);
    const expected = sha256(fake.archive(RUN, "step_0010").slice());
    assertEquals(JSON.parse(new TextDecoder().decode(stdout)).sha256, expected);
    assertEquals(sha256(await Deno.readFile(path)), expected);
    const names = await Array.fromAsync(Deno.readDir(directory), ({ name }) => name);
    assertEquals(names.sort(), [".hpcai-rx", "final.tar.gz"]);
    assertEquals(stateFiles(path), ["file.json"]);
    // Most savers have to be killed during the transfer.
    assert(new Set(lengths).size > 5);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
