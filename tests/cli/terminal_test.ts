import { FakeHpcai } from "@hpcai/rx/testing";
import { assert, assertEquals, assertMatch, assertNotMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { stateFiles } from "../fs/path_state.ts";
import { serve } from "../integration/loopback_server.ts";
import { environmentOf } from "./cli_host.ts";
import { inTerminal } from "./cli_process.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";
const PATH = `hpcai://${RUN}/weights/step_0010`;

async function inDirectory(test: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await test(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** The same answer at 1 MiB a second or so. */
function slowly(answer: Response): Response {
  return new Response(
    answer.body?.pipeThrough(
      new TransformStream({
        async transform(chunk, controller) {
          await new Promise((resolve) => setTimeout(resolve, chunk.byteLength / 1024));
          controller.enqueue(chunk);
        },
      }),
    ),
    answer,
  );
}

Deno.test("a download shows a bar with rate and time left, which goes before the result", () =>
  inDirectory(async (directory) => {
    const args = ["--demo", "checkpoint", "download", PATH, "-o", `${directory}/a.tar.gz`];
    const { output, code } = await inTerminal(args);
    assertEquals(code, 0);
    assertMatch(output, /Downloading .*█.*░.* \d+ % .* of 24 MiB .* MiB\/s .*0:0\d left/);
    // The line is cleared, the cursor shown again; then comes the result alone.
    // deno-lint-ignore no-control-regex
    assertMatch(output, /\u001b\[\?25h[^\n]*\u001b\[2K\u001b\[1mSaved\u001b\[0m/);
  }));

Deno.test("--quiet shows no bar, also on a terminal", () =>
  inDirectory(async (directory) => {
    const args = ["--demo", "-q", "checkpoint", "download", PATH, "-o", `${directory}/a.tar.gz`];
    const { output, code } = await inTerminal(args);
    assertEquals(code, 0);
    assertNotMatch(output, /Downloading/);
  }));

for (const [answer, expected] of [["y\r", "deleted  "], ["\r", "Nothing was deleted."]] as const) {
  Deno.test(`delete shows what would go, and takes ${JSON.stringify(answer)} for an answer`, async () => {
    const { output, code } = await inTerminal(["--demo", "checkpoint", "delete", PATH], {
      steps: [["Delete 1 checkpoint for good? [y/N] ", answer]],
    });
    assertEquals(code, 0);
    assertMatch(output, /Checkpoint ID.*\nstep_0010 .*\nDelete 1/s);
    assert(output.split("[y/N]")[1]?.includes(expected), output);
  });
}

Deno.test("JSON is a document also where the answer is no", async () => {
  const args = ["--demo", "--format", "json", "checkpoint", "delete", PATH];
  const { output } = await inTerminal(args, { steps: [["[y/N] ", "n\r"]] });
  assertMatch(output, /\n\[\]\nNothing was deleted\.\n/);
});

Deno.test("Ctrl-C at a question deletes nothing and exits with 130", async () => {
  const { output, code } = await inTerminal(["--demo", "checkpoint", "delete", PATH], {
    steps: [["[y/N] ", "\x03"]],
  });
  assertEquals(code, 130);
  assertMatch(output, /\nInterrupted\. `checkpoint list` shows what is left\.\n/);
  assertNotMatch(output, /deleted {2}/);
});

Deno.test("the key is asked for without an echo", async () => {
  const fake = new FakeHpcai({ trainingRuns: 1 });
  await using server = serve(fake.handler);
  const { output, code } = await inTerminal(["run", "list"], {
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
  Deno.test(`${how} stops a download, says how to go on, and the same command goes on`, () =>
    inDirectory(async (directory) => {
      const fake = new FakeHpcai();
      await using server = serve(async (request) => slowly(await fake.handler(request)));
      const env = environmentOf(fake, server.url);
      const args = ["checkpoint", "download", PATH, "-o", `${directory}/a.tar.gz`];

      const stopped = await inTerminal(args, { env, steps: [[" left", send]] });
      assertEquals(stopped.code, expected, stopped.output);
      assertMatch(stopped.output, /Interrupted\. Run the same command again to resume\.\n/);
      assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name), [".hpcai-rx"]);
      assertEquals(stateFiles(`${directory}/a.tar.gz`), ["part", "part.json"]);

      assertEquals((await inTerminal(args, { env })).code, 0);
      const ranges = fake.requests.map(({ headers }) => headers.get("Range")).filter((range) =>
        range
      );
      assertEquals(ranges.length, 1);
      assertMatch(ranges[0] ?? "", /^bytes=[1-9]\d+-$/);
      const saved = await Deno.readFile(`${directory}/a.tar.gz`);
      assertEquals(Buffer.compare(saved, fake.archive(RUN, "step_0010").slice()), 0);
    }));
}

Deno.test("Ctrl-C stops an extraction, which leaves nothing", () =>
  inDirectory(async (directory) => {
    const args = ["--demo", "checkpoint", "extract", PATH, "-o", `${directory}/step_0010`];
    const { output, code } = await inTerminal(args, { steps: [[" left", "\x03"]] });
    assertEquals(code, 130);
    assertMatch(output, /Interrupted\. Nothing was kept\. /);
    assertEquals([...Deno.readDirSync(directory)], []);
  }));

Deno.test("a long listing counts what it has found, and leaves only the table", async () => {
  const fake = new FakeHpcai({ trainingRuns: 12 });
  await using server = serve(async (request) => {
    await new Promise((resolve) => setTimeout(resolve, 400));
    return fake.handler(request);
  });
  const { output, code } = await inTerminal(["checkpoint", "list", "--limit", "0"], {
    env: environmentOf(fake, server.url),
    steps: [["Found ", ""]],
  });
  assertEquals(code, 0);
  assertMatch(output, /Found \d+ checkpoints …/);
  // deno-lint-ignore no-control-regex
  assertMatch(output, /\u001b\[2K\u001b\[1mCheckpoint ID/);
});

Deno.test("Ctrl-C stops watching, and exits with 130", async () => {
  const { output, code } = await inTerminal([
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
