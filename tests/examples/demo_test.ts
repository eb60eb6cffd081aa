import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { FakeHpcai, type FakeHpcaiOptions } from "@hpcai/rx/testing";
import { inTemporaryDirectory } from "../temporary_directory.ts";
import { serve } from "../integration/loopback_server.ts";
import { type Outcome, runTask, taskCommand } from "./run_task.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";
const PATH = `hpcai://${RUN}/weights/final`;

/** Runs the demo with a key, against a fake API in place of HPC-AI. */
async function runWithKey(
  options: FakeHpcaiOptions,
): Promise<{ service: FakeHpcai; outcome: Outcome }> {
  const service = new FakeHpcai(options);
  await using server = serve(service.handler);
  const HPCAI_BASE_URL = server.url;
  const env = { HPCAI_API_KEY: service.apiKey, HPCAI_BASE_URL };
  const outcome = await inTemporaryDirectory(async (cwd) => {
    const outcome = await runTask("demo", [], { cwd, env });
    assertEquals([...Deno.readDirSync(cwd)], []);
    return outcome;
  });
  return { service, outcome };
}

Deno.test("deno task demo runs each command in plain lines where stdout is not a terminal", async () => {
  await inTemporaryDirectory(async (cwd) => {
    const { code, stdout, stderr } = await runTask("demo", [], { cwd });
    assertEquals([code, [...Deno.readDirSync(cwd)]], [0, []], stderr);
    assertMatch(stdout, /^[\n\x20-\x7e]*$/);
    const commands = stdout.split("\n$ hpcai-rx --demo ").slice(1);
    assertEquals(commands.map((text) => text.slice(0, text.indexOf("\n"))), [
      "run list --limit 5",
      `checkpoint list ${RUN}`,
      `checkpoint download ${RUN} final -o demo-checkpoints/`,
      `checkpoint delete ${PATH} --yes`,
      `checkpoint list ${RUN}`,
    ]);
    const [runs = "", before = "", download = "", deletion = "", after = ""] = commands;
    assertMatch(runs, new RegExp(`^${RUN}  Qwen/Qwen3-8B `, "m"));
    assertStringIncludes(before, PATH);
    const sha256 = await new FakeHpcai({ archiveBytes: 24 * 1024 ** 2 }).archive(RUN, "final")
      .sha256();
    assertStringIncludes(download, `SHA-256  ${sha256}\n`);
    assertStringIncludes(deletion, `deleted  ${PATH}\n`);
    assertStringIncludes(after, "step_0020");
    assert(!after.includes(PATH));
  });
});

Deno.test("deno task demo draws the download's bar in place on a terminal", async () => {
  const inTerminal = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)";
  await inTemporaryDirectory(async (cwd) => {
    const { code, stdout } = await runTask("demo", [], {
      cwd,
      within: ["python3", "-c", inTerminal],
      env: { NO_COLOR: "1", TERM: "xterm" },
    });
    assertEquals(code, 0, stdout);
    const bars = stdout.match(/█*░+ +\d+ %/g) ?? [];
    assert(new Set(bars).size > 3);
    assert(!stdout.includes("\x1b[1m"), "NO_COLOR turns styles off");
  });
});

Deno.test("deno task demo aborts the download at Ctrl-C, exits with 130 and leaves no file", async () => {
  await inTemporaryDirectory(async (cwd) => {
    const demo = taskCommand("demo", [], { cwd }).spawn();
    let output = "";
    for await (const text of demo.stdout.pipeThrough(new TextDecoderStream())) {
      const hadBegun = output.includes("checkpoint download");
      output += text;
      if (!hadBegun && output.includes("checkpoint download")) demo.kill("SIGINT");
    }
    assertStringIncludes(await new Response(demo.stderr).text(), "Interrupted.");
    assertEquals((await demo.status).code, 130);
    assert(!output.includes("Saved") && !output.includes("checkpoint delete"));
    assertEquals([...Deno.readDirSync(cwd)], []);
  });
});

Deno.test("deno task demo with a key reads from the service and deletes nothing", async () => {
  const { service, outcome } = await runWithKey({ trainingRuns: 30 });
  assertEquals(outcome.code, 0, outcome.stderr);
  assertStringIncludes(outcome.stdout, `$ hpcai-rx checkpoint list ${RUN}\n`);
  const sha256 = await service.archive(RUN, "final").sha256();
  assertStringIncludes(outcome.stdout, `SHA-256  ${sha256}\n`);
  assertEquals(service.requests.filter(({ method }) => method !== "GET"), []);
});

Deno.test("deno task demo with a key stops the download of a large archive", async () => {
  const { outcome } = await runWithKey({ archiveBytes: 20 * 1024 ** 3 });
  assertEquals(outcome.code, 0, outcome.stderr);
  assertMatch(outcome.stdout, /The demo stops here, after 64 MiB or 10 seconds\.\n$/);
});

Deno.test("deno task demo with a key ends where no training run has a checkpoint", async () => {
  const { outcome } = await runWithKey({ trainingRuns: 0 });
  assertEquals(outcome.code, 0, outcome.stderr);
  assertStringIncludes(outcome.stdout, "None of the first 0 training runs has a checkpoint");
});

Deno.test("deno task demo ends with the first command that fails, and with its exit code", async () => {
  await inTemporaryDirectory(async (cwd) => {
    const env = { HPCAI_API_KEY: "key", HPCAI_BASE_URL: "ftp://127.0.0.1" };
    const { code, stdout, stderr } = await runTask("demo", [], { cwd, env });
    assertEquals(code, 2);
    assertMatch(stderr, /^error: The base URL /m);
    assertEquals(stdout.match(/^\$ hpcai-rx /gm)?.length, 1);
  });
});
