import config from "../../deno.json" with { type: "json" };
import { type CliHost, main } from "@hpcai/rx/cli";
import { FakeHpcai } from "@hpcai/rx/testing";
import { assertEquals, assertMatch } from "@std/assert";
import { Writable } from "node:stream";
import { serve } from "../integration/loopback_server.ts";
import { CapturedHost, environmentOf } from "./cli_host.ts";
import { cliCommand, environment } from "./cli_process.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";

/** Starts the command line in a process of its own, with pipes. */
function start(env: Record<string, string>, ...args: string[]): Deno.ChildProcess {
  const [command, ...rest] = cliCommand(...args);
  return new Deno.Command(command, {
    args: rest,
    clearEnv: true,
    env: { ...environment(), ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

Deno.test("a process writes one JSON document into a pipe, and nothing else", async () => {
  const { code, stdout, stderr } = await start({}, "--demo", "--format", "json", "run", "list")
    .output();
  assertEquals([code, JSON.parse(new TextDecoder().decode(stdout)).length], [0, 20]);
  assertMatch(new TextDecoder().decode(stderr), /^Cut off after 20 training runs;/);
});

Deno.test("a process writes a line of JSON as soon as it has it", async () => {
  const fake = new FakeHpcai();
  // The checkpoints of the second run never come.
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

Deno.test("a reader that has had enough, such as head, is no error", async () => {
  const path = `hpcai://${RUN}/weights/final`;
  const process = start({}, "--demo", "checkpoint", "cat", path, "adapter_model.safetensors");
  const reader = process.stdout.getReader();
  await reader.read();
  await reader.cancel();
  assertEquals(await new Response(process.stderr).text(), "");
  assertEquals((await process.status).code, 0);
});

Deno.test("nor is one that has had enough of the help, which Node tells once it is written", async () => {
  const told = Promise.withResolvers<void>();
  const stdout: CliHost["stdout"] = new Writable({
    write: (_chunk, _encoding, done) =>
      void told.promise.then(() =>
        done(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }))
      ),
  });
  const closed = new Promise((resolve) => stdout.on("close", resolve));
  assertEquals(await main(["--help"], Object.assign(new CapturedHost(), { stdout })), 0);
  told.resolve();
  await closed;
});

Deno.test("the version is that of the package", async () => {
  assertEquals((await new CapturedHost().run("--version")).stdout, `${config.version}\n`);
});

Deno.test("the script for bash completes commands and options", async () => {
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
