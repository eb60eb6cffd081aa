import { FakeHpcai } from "@hpcai/rx/testing";
import { assert, assertEquals, assertMatch, assertNotMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { stateFiles } from "../fs/path_state.ts";
import { serve } from "../integration/loopback_server.ts";
import { inTemporaryDirectory } from "../temporary_directory.ts";
import { environmentOf } from "./cli_host.ts";
import { runInTerminal } from "./cli_process.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";
const PATH = `hpcai://${RUN}/weights/step_0010`;

Deno.test("checkpoint download shows a bar with rate and time left, and clears it before the result", () =>
  inTemporaryDirectory(async (directory) => {
    const args = ["--demo", "checkpoint", "download", PATH, "-o", `${directory}/a.tar.gz`];
    const { output, code } = await runInTerminal(args);
    assertEquals(code, 0);
    assertMatch(output, /Downloading .*█.*░.* \d+ % .* of 24 MiB .* MiB\/s .*0:0\d left/);
    // The line is cleared and the cursor restored before the result.
    // deno-lint-ignore no-control-regex
    assertMatch(output, /\u001b\[\?25h[^\n]*\u001b\[2K\u001b\[1mSaved\u001b\[0m/);
  }));

Deno.test("--quiet hides the bar on a terminal", () =>
  inTemporaryDirectory(async (directory) => {
    const args = ["--demo", "-q", "checkpoint", "download", PATH, "-o", `${directory}/a.tar.gz`];
    const { output, code } = await runInTerminal(args);
    assertEquals(code, 0);
    assertNotMatch(output, /Downloading/);
  }));

for (const [input, expected] of [["y\r", "deleted  "], ["\r", "Nothing was deleted."]] as const) {
  Deno.test(`checkpoint delete lists the checkpoints and accepts the input ${JSON.stringify(input)}`, async () => {
    const { output, code } = await runInTerminal(["--demo", "checkpoint", "delete", PATH], {
      steps: [["Delete 1 checkpoint permanently? [y/N] ", input]],
    });
    assertEquals(code, 0);
    assertMatch(output, /Checkpoint ID.*\nstep_0010 .*\nDelete 1/s);
    assert(output.split("[y/N]")[1]?.includes(expected), output);
  });
}

Deno.test("checkpoint delete writes a JSON document if the deletion is not confirmed", async () => {
  const args = ["--demo", "--format", "json", "checkpoint", "delete", PATH];
  const { output } = await runInTerminal(args, { steps: [["[y/N] ", "n\r"]] });
  assertMatch(output, /\n\[\]\nNothing was deleted\.\n/);
});

Deno.test("checkpoint delete exits with 130 on Ctrl-C at the prompt and deletes nothing", async () => {
  const { output, code } = await runInTerminal(["--demo", "checkpoint", "delete", PATH], {
    steps: [["[y/N] ", "\x03"]],
  });
  assertEquals(code, 130);
  assertMatch(output, /\nInterrupted\. `checkpoint list` shows the remaining checkpoints\.\n/);
  assertNotMatch(output, /deleted {2}/);
});

Deno.test("hpcai-rx prompts for the key without an echo", async () => {
  const fake = new FakeHpcai({ trainingRuns: 1 });
  await using server = serve(fake.handler);
  const { output, code } = await runInTerminal(["run", "list"], {
    env: { HPCAI_BASE_URL: server.url },
    steps: [["API key: ", `${fake.apiKey}\r`]],
  });
  assertEquals(code, 0, output);
  assertMatch(output, new RegExp(RUN));
  assert(!output.includes(fake.apiKey));
});

for (
  const [how, send, expected] of [["Ctrl-C", "\x03", 130], ["SIGTERM", "<SIGTERM>", 143]] as const
) {
  Deno.test(`checkpoint download stops on ${how}, and the same command resumes it`, () =>
    inTemporaryDirectory(async (directory) => {
      const fake = new FakeHpcai({ bytesPerSecond: 2 ** 20 });
      await using server = serve(fake.handler);
      const env = environmentOf(fake, server.url);
      const args = ["checkpoint", "download", PATH, "-o", `${directory}/a.tar.gz`];

      const interrupted = await runInTerminal(args, { env, steps: [[" left", send]] });
      assertEquals(interrupted.code, expected, interrupted.output);
      assertMatch(interrupted.output, /Interrupted\. Run the same command again to resume\.\n/);
      assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name), [".hpcai-rx"]);
      assertEquals(stateFiles(`${directory}/a.tar.gz`), ["part", "part.json"]);

      assertEquals((await runInTerminal(args, { env })).code, 0);
      const ranges = fake.requests.map(({ headers }) => headers.get("Range")).filter((range) =>
        range
      );
      assertEquals(ranges.length, 1);
      assertMatch(ranges[0] ?? "", /^bytes=[1-9]\d+-$/);
      const saved = await Deno.readFile(`${directory}/a.tar.gz`);
      assertEquals(Buffer.compare(saved, fake.archive(RUN, "step_0010").slice()), 0);
    }));
}

Deno.test("checkpoint extract keeps nothing after Ctrl-C", () =>
  inTemporaryDirectory(async (directory) => {
    const args = ["--demo", "checkpoint", "extract", PATH, "-o", `${directory}/step_0010`];
    const { output, code } = await runInTerminal(args, { steps: [[" left", "\x03"]] });
    assertEquals(code, 130);
    assertMatch(output, /Interrupted\. Nothing was kept\. /);
    assertEquals([...Deno.readDirSync(directory)], []);
  }));

Deno.test("checkpoint list shows a count during a long listing, and then only the table", async () => {
  const fake = new FakeHpcai({ trainingRuns: 12 });
  await using server = serve(async (request) => {
    await new Promise((resolve) => setTimeout(resolve, 400));
    return fake.handler(request);
  });
  const { output, code } = await runInTerminal(["checkpoint", "list", "--limit", "0"], {
    env: environmentOf(fake, server.url),
    steps: [["Found ", ""]],
  });
  assertEquals(code, 0);
  assertMatch(output, /Found \d+ checkpoints …/);
  // deno-lint-ignore no-control-regex
  assertMatch(output, /\u001b\[2K\u001b\[1mCheckpoint ID/);
});

Deno.test("checkpoint watch exits with 130 on Ctrl-C", async () => {
  const { output, code } = await runInTerminal([
    "--demo",
    "checkpoint",
    "watch",
    RUN,
    "--interval",
    "1s",
  ], {
    steps: [["step_0030", "\x03"]],
  });
  assertEquals(code, 130);
  assertMatch(output, /added +\S+step_0010 /);
});
