import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { FakeHpcai, type FakeHpcaiOptions } from "@hpcai/rx/testing";
import { type Outcome, runTask, taskCommand } from "./run_task.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";

/** Runs the demo as if the fake was the real service. */
async function demoWithKey(
  options: FakeHpcaiOptions,
): Promise<{ service: FakeHpcai; outcome: Outcome }> {
  const service = new FakeHpcai(options);
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    service.handler,
  );
  const HPCAI_BASE_URL = `http://127.0.0.1:${server.addr.port}`;
  const env = { HPCAI_API_KEY: service.apiKey, HPCAI_BASE_URL };
  return { service, outcome: await runTask("demo", [], { env }) };
}

Deno.test("the demo shows every step, in plain lines where stdout is no terminal", async () => {
  const { code, stdout, stderr } = await runTask("demo");
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^[\n\x20-\x7e✓]*$/);
  assertStringIncludes(stdout, `  ${RUN}  Qwen/Qwen3-8B`);
  assertStringIncludes(stdout, "480 runs of 5 base models");
  assertMatch(stdout, /\d+ % {2}[ \d.]+ MiB of 64.0 MiB {2}[\d.]+ MiB\/s {2}\d s left\n/);
  assertStringIncludes(stdout, "100 %  64.0 MiB  complete\n");
  assertStringIncludes(stdout, "✓ gzip's CRC-32 and length fit");
  assertStringIncludes(stdout, "✓ SHA-256 is that of the server's own copy");
  assertMatch(stdout, /^ +\d+ {2}adapter_config\.json$/m);
  assertMatch(stdout, /^ +67,\d+,\d+ {2}adapter_model\.safetensors$/m);
  const [before, after] = stdout.split("step_0010 deleted\n");
  assertMatch(before ?? "", /^ {2}step_0010 {2,}training/m);
  assert(after?.includes("step_0020") && !/^ {2}step_0010 /m.test(after));
});

Deno.test("on a terminal the demo's count and bar change in place", async () => {
  const inTerminal = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)";
  const { code, stdout } = await runTask("demo", [], {
    within: ["python3", "-c", inTerminal],
    env: { NO_COLOR: "1" },
  });
  assertEquals(code, 0, stdout);
  assertStringIncludes(stdout, "\r\x1b[K  479 runs of 5 base models\r\x1b[K  480 runs");
  const bars = stdout.match(/█*░+ +\d+ %/g) ?? [];
  assert(new Set(bars).size > 5);
  assert(!stdout.includes("\x1b[36m"), "NO_COLOR is heeded");
});

Deno.test("Ctrl-C aborts the demo's download", async () => {
  const demo = taskCommand("demo").spawn();
  let output = "";
  for await (const text of demo.stdout.pipeThrough(new TextDecoderStream())) {
    const hadBegun = output.includes("Archive of");
    output += text;
    if (!hadBegun && output.includes("Archive of")) demo.kill("SIGINT");
  }
  assertEquals(
    await new Response(demo.stderr).text(),
    "Interrupted: what was under way is aborted.\n",
  );
  assertEquals((await demo.status).code, 130);
  assert(!output.includes("complete"));
});

Deno.test("with a key the demo reads from the service and deletes nothing", async () => {
  const { service, outcome } = await demoWithKey({ trainingRuns: 30 });
  assertEquals([outcome.code, outcome.stderr], [0, ""]);
  assertStringIncludes(outcome.stdout, "30 runs of 5 base models");
  assertStringIncludes(outcome.stdout, "100 %  1.0 MiB  complete\n");
  assertEquals(service.requests.filter(({ method }) => method !== "GET"), []);
});

Deno.test("with a key the demo does not download all of a large archive", async () => {
  const { outcome } = await demoWithKey({ archiveBytes: 20 * 1024 ** 3 });
  assertEquals([outcome.code, outcome.stderr], [0, ""]);
  assertMatch(outcome.stdout, /Stopped at \d+\.\d MiB: 64.0 MiB or 10 s are enough for a demo/);
});

Deno.test("with a key the demo says where there is nothing to show", async () => {
  const { outcome } = await demoWithKey({ trainingRuns: 0 });
  assertEquals([outcome.code, outcome.stderr], [0, ""]);
  assertStringIncludes(outcome.stdout, "None of the runs listed first has a checkpoint");
});

Deno.test("the demo fails with one plain sentence", async () => {
  const env = { HPCAI_API_KEY: "key", HPCAI_BASE_URL: "ftp://127.0.0.1" };
  const { code, stderr } = await runTask("demo", [], { env });
  assertEquals(code, 1);
  assertMatch(stderr, /^The demo failed: baseUrl .*\n$/);
});
