import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { FakeHpcai } from "@hpcai/rx/testing";
import { inTemporaryDirectory, namesIn } from "../temporary_directory.ts";
import { type Outcome, runTask, taskCommand } from "./run_task.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";

/** Runs an example in a directory of its own and passes the outcome to a function. */
function runInDirectory(
  example: string,
  args: readonly string[],
  check: (directory: string, outcome: Outcome) => Promise<void>,
): Promise<void> {
  return inTemporaryDirectory(async (cwd) =>
    check(cwd, await runTask("example:save", [`examples/${example}.ts`, ...args], { cwd }))
  );
}

async function assertIsArchive(path: string, fake: FakeHpcai, checkpointId: string): Promise<void> {
  const saved = await Deno.readFile(path);
  const expected = fake.archive(RUN, checkpointId).slice();
  assert(saved.every((byte, i) => byte === expected[i]) && saved.length === expected.length);
  assert((await new Deno.Command("gzip", { args: ["-t", path] }).output()).success);
}

Deno.test("download_checkpoint saves the archive, byte for byte", async () => {
  await runInDirectory("download_checkpoint", [], async (directory, { code, stdout }) => {
    assertEquals([code, stdout], [
      0,
      "Checkpoint downloaded to: ./checkpoints/checkpoint_step_0010.tar.gz\nFile size: 1.00 MB\n",
    ]);
    const path = `${directory}/checkpoints/checkpoint_step_0010.tar.gz`;
    await assertIsArchive(path, new FakeHpcai(), "step_0010");
    assertEquals(await namesIn(`${directory}/checkpoints`), [
      ".hpcai-rx",
      "checkpoint_step_0010.tar.gz",
    ]);
  });
});

Deno.test("download_checkpoint leaves no file after a failed download", async () => {
  await runInDirectory(
    "download_checkpoint",
    [RUN, "nope"],
    async (directory, { code, stderr }) => {
      assertEquals(code, 1);
      assertStringIncludes(stderr, `Checkpoint nope not found in ${RUN}`);
      assertEquals(await namesIn(`${directory}/checkpoints`), []);
    },
  );
});

Deno.test("download_checkpoint_by_path derives the file name from the path", async () => {
  await runInDirectory("download_checkpoint_by_path", [], async (directory, { code, stdout }) => {
    assertEquals(code, 0);
    const name = `hpcai_${RUN}_weights_step_0010.tar.gz`;
    assertStringIncludes(stdout, `Checkpoint downloaded to: ./checkpoints/${name}\n`);
    await assertIsArchive(`${directory}/checkpoints/${name}`, new FakeHpcai(), "step_0010");
  });
});

Deno.test("download_several saves every checkpoint of a run and prints the total progress", async () => {
  await runInDirectory("download_several", [], async (directory, { code, stdout }) => {
    assertEquals(code, 0);
    assertMatch(
      stdout,
      /^0 of 4: 0.00 of \? MB\n(\d of 4: .*\n)*4 of 4: 128.00 of 128.00 MB\nAll checkpoints downloaded to: .\/checkpoints\n$/,
    );
    const fake = new FakeHpcai({ archiveBytes: 32 * 1024 ** 2 });
    const names = fake.checkpoints(RUN).map(({ checkpointPath }) =>
      `${checkpointPath.replace("://", "_").replaceAll("/", "_")}.tar.gz`
    );
    assertEquals(await namesIn(`${directory}/checkpoints`), [".hpcai-rx", ...names.sort()]);
    const final = `${directory}/checkpoints/hpcai_${RUN}_weights_final.tar.gz`;
    await assertIsArchive(final, fake, "final");
  });
});

Deno.test("cancel_download aborts after the given time", async () => {
  const path = `hpcai://${RUN}/weights/final`;
  const { code, stdout } = await runTask("example", ["examples/cancel_download.ts", path, "0.3"]);
  assertEquals(code, 0);
  assertMatch(stdout, /^Cancelled after \d+\.\d MB$/m);
  assertStringIncludes(stdout, "The sink was aborted: The download was cancelled\n");
});

Deno.test("cancel_download aborts at Ctrl-C", async () => {
  const path = `hpcai://${RUN}/weights/final`;
  const args = ["examples/cancel_download.ts", path, "3600"];
  const program = taskCommand("example", args).spawn();
  let output = "";
  for await (const text of program.stdout.pipeThrough(new TextDecoderStream())) {
    // The first line shows that the download has started.
    if (output === "") program.kill("SIGINT");
    output += text;
  }
  await program.stderr.cancel();
  assertEquals((await program.status).code, 0);
  assertMatch(output, /^Cancelled after \d+\.\d MB$/m);
});
