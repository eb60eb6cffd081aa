import config from "../../deno.json" with { type: "json" };
import { type CliHost, main } from "@hpcai/rx/cli";
import { FakeHpcai } from "@hpcai/rx/testing";
import { assertEquals, assertMatch } from "@std/assert";
import { Writable } from "node:stream";
import { serve } from "../integration/loopback_server.ts";
import { CapturedHost, environmentOf } from "./cli_host.ts";
import { cliCommand, terminalEnvironment } from "./cli_process.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";

/** Starts the command in its own process, with pipes. */
function start(env: Record<string, string>, ...args: string[]): Deno.ChildProcess {
  const [command, ...rest] = cliCommand(...args);
  return new Deno.Command(command, {
    args: rest,
    clearEnv: true,
    env: { ...terminalEnvironment(), ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

Deno.test("hpcai-rx writes only one JSON document to a pipe", async () => {
  const { code, stdout, stderr } = await start({}, "--demo", "--format", "json", "run", "list")
    .output();
  assertEquals([code, JSON.parse(new TextDecoder().decode(stdout)).length], [0, 20]);
  assertMatch(new TextDecoder().decode(stderr), /^Showing the first 20 training runs;/);
});

Deno.test("hpcai-rx writes each line of JSON before the listing is complete", async () => {
  const fake = new FakeHpcai();
  // The checkpoints of the second run never arrive.
  fake.faults.add({ type: "delay", ms: Infinity }, {
    on: ({ url }) => url.includes(`${fake.trainingRunIds[1]}/`),
  });
  await using server = serve(fake.handler);
  const args = ["--format", "jsonl", "checkpoint", "list"];
  const process = start(environmentOf(fake, server.url), ...args);
  const reader = process.stdout.getReader();
  const { value } = await reader.read();
  assertEquals(
    JSON.parse(new TextDecoder().decode(value).split("\n")[0] ?? "").checkpointId,
    "step_0010",
  );
  process.kill("SIGTERM");
  while (!(await reader.read()).done);
  await process.stderr.cancel();
  assertEquals((await process.status).code, 143);
});

Deno.test("hpcai-rx exits with 0 if the reader closes the pipe early, as head does", async () => {
  const path = `hpcai://${RUN}/weights/final`;
  const process = start({}, "--demo", "checkpoint", "cat", path, "adapter_model.safetensors");
  const reader = process.stdout.getReader();
  await reader.read();
  await reader.cancel();
  assertEquals(await new Response(process.stderr).text(), "");
  assertEquals((await process.status).code, 0);
});

Deno.test("main ignores a closed pipe that Node reports after the help is written", async () => {
  const written = Promise.withResolvers<void>();
  const stdout: CliHost["stdout"] = new Writable({
    write: (_chunk, _encoding, done) =>
      void written.promise.then(() =>
        done(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }))
      ),
  });
  const closed = new Promise((resolve) => stdout.on("close", resolve));
  assertEquals(await main(["--help"], Object.assign(new CapturedHost(), { stdout })), 0);
  written.resolve();
  await closed;
});

Deno.test("hpcai-rx --version writes the version of the package", async () => {
  assertEquals((await new CapturedHost().run("--version")).stdout, `${config.version}\n`);
});

Deno.test("hpcai-rx completions bash completes commands and options", async () => {
  const script = (await new CapturedHost().run("completions", "bash")).stdout;
  const complete = async (...words: string[]) => {
    const program = `${script}
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _hpcai_rx; echo "\${COMPREPLY[*]}"`;
    const args = ["-c", program, "bash", "hpcai-rx", ...words];
    return new TextDecoder().decode((await new Deno.Command("bash", { args }).output()).stdout)
      .trim();
  };
  assertEquals(await complete("r"), "run");
  assertEquals(await complete("--demo", "checkpoint", "d"), "download delete");
  assertEquals(await complete("checkpoint", "prune", "--quiet", "--k"), "--keep-last");
  assertEquals(await complete("completions", "f"), "fish");
});
