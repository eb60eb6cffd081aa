import { assertEquals, assertMatch } from "@std/assert";
import { FakeHpcai } from "@hpcai/rx/testing";
import { setTimeout as delay } from "node:timers/promises";
import { serve } from "../integration/loopback_server.ts";

const ARCHIVE_BYTES = 3_000_000;

/** Mounts a disk of 4 MiB for the commands of a script, of which 2 MiB are used. */
const ON_SMALL_DISK = `
set -e
mount -t tmpfs -o size=4m tmpfs "$1"
head -c 2M /dev/zero > "$1/filler"
run() { "\${@:2}" || echo "ended with $?"; }
run "$@"
find "$1" -mindepth 1 -name '*.tar.gz' -printf 'there is %f\\n'
rm "$1/filler"
run "$@"
sha256sum "$1/final.tar.gz"
`;

/** Slows a response down past the first sync, so that a later save can resume. */
function slowDown({ body, status, headers }: Response): Response {
  const slow = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    async transform(chunk, controller) {
      for (let at = 0; at < chunk.byteLength; at += 2 ** 16) {
        await delay(20);
        controller.enqueue(chunk.subarray(at, at + 2 ** 16));
      }
    },
  });
  return new Response(body?.pipeThrough(slow), { status, headers });
}

/** Whether this process can mount a disk, which needs root or user namespaces. */
const canMount = new Deno.Command("bash", {
  args: ["-c", 'unshare -rm mount -t tmpfs tmpfs "$1"', "bash", Deno.makeTempDirSync()],
}).outputSync().success;

Deno.test({
  name: "saveArchive$ fails on a full disk, and saves once there is room again" +
    (canMount ? "" : " (needs to mount a disk)"),
  ignore: !canMount,
  async fn() {
    const directory = await Deno.makeTempDir();
    const fake = new FakeHpcai({ archiveBytes: ARCHIVE_BYTES });
    await using server = serve(async (request) => slowDown(await fake.handler(request)));
    const path = `${directory}/final.tar.gz`;
    const options = { apiKey: fake.apiKey, baseUrl: server.url, path };
    const { stdout, stderr, code } = await new Deno.Command("bash", {
      args: [
        "-c",
        'exec unshare -rm bash -c "$@"',
        "bash",
        ON_SMALL_DISK,
        "bash",
        directory,
        Deno.execPath(),
        "run",
        "--no-prompt",
        "--allow-net=127.0.0.1",
        `--allow-read=${directory}`,
        `--allow-write=${directory}`,
        new URL("saver.ts", import.meta.url).href,
        JSON.stringify(options),
      ],
    }).output();
    const [output, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    assertEquals(code, 0, errors);
    assertMatch(
      errors ?? "",
      /HpcaiError: Cannot save .*final\.tar\.gz: the disk is full \(ENOSPC\)/,
    );
    const lines = (output ?? "").trimEnd().split("\n");
    assertEquals(lines[0], "ended with 1");
    const complete = JSON.parse(lines[1] ?? "");
    assertEquals(complete.size, ARCHIVE_BYTES);
    assertEquals(lines[2]?.split(" ")[0], complete.sha256);
    // The second save resumes from what the disk had room for.
    assertEquals(server.requests.length, 2);
    assertMatch(server.requests[1]?.headers.get("Range") ?? "", /^bytes=[1-9]\d+-$/);
  },
});
