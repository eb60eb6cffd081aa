import { FakeHpcai } from "@hpcai/rx/testing";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { serve } from "../integration/loopback_server.ts";
import { Output } from "../../src/cli/output.ts";
import { createStyles } from "../../src/cli/styles.ts";
import { CapturedHost, CapturedStream, environmentOf, runCli } from "./cli_host.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";

Deno.test("run list writes aligned columns, and a note to stderr if there are more", async () => {
  const { code, stdout, stderr } = await runCli(new FakeHpcai(), "run", "list", "--limit", "2");
  assertEquals(code, 0);
  assertEquals(
    stdout,
    `\
Run ID                                Base model      Owner        LoRA     Last request          State
eb78693b-380d-40f8-a709-ffe0da185718  Qwen/Qwen3-8B   user-3f9c1a  rank 32  2026-01-07 10:19:18Z  ok
6f772632-716c-4430-99c4-3a8c3b7cf3c2  Qwen/Qwen3-32B  user-3f9c1a  rank 16  2026-01-07 00:38:16Z  ok
`,
  );
  assertEquals(stderr, "Showing the first 2 training runs; use --limit 0 to show all.\n");
});

Deno.test("run list requests one run more than the limit", async () => {
  const fake = new FakeHpcai({ trainingRuns: 250 });
  await runCli(fake, "run", "list", "--limit", "20");
  assertEquals(fake.requests.map(({ url }) => new URL(url).search), ["?limit=21&offset=0"]);
});

Deno.test("run list --limit 0 shows all runs", async () => {
  const fake = new FakeHpcai({ trainingRuns: 250 });
  const { stdout, stderr } = await runCli(fake, "run", "list", "--limit", "0");
  assertEquals(stdout.trimEnd().split("\n").length, 251);
  assertEquals(stderr, "");
});

Deno.test("--format json writes an array for a list, and an object for one item", async () => {
  const fake = new FakeHpcai();
  const list = await runCli(fake, "--format", "json", "run", "list", "--limit", "0");
  assertEquals(
    JSON.parse(list.stdout).map(({ trainingRunId }: { trainingRunId: string }) => trainingRunId),
    [...fake.trainingRunIds],
  );
  const info = await runCli(fake, "run", "info", RUN, "--format", "json");
  assertEquals(JSON.parse(info.stdout).lastCheckpoint.checkpointId, "final");
});

Deno.test("--format jsonl writes a line for each item", async () => {
  const fake = new FakeHpcai();
  const { stdout } = await runCli(fake, "--format", "jsonl", "checkpoint", "list", RUN);
  const ids = stdout.trimEnd().split("\n").map((line) => JSON.parse(line).checkpointId);
  assertEquals(ids, fake.checkpoints(RUN).map(({ checkpointId }) => checkpointId));
});

Deno.test("run list writes an empty array in JSON, and a note otherwise, if there are no runs", async () => {
  const fake = new FakeHpcai({ trainingRuns: 0 });
  const table = await runCli(fake, "run", "list");
  assertEquals(table, { code: 0, stdout: "", stderr: "No training runs found.\n" });
  const json = await runCli(fake, "run", "list", "--format", "json", "--quiet");
  assertEquals(json, { code: 0, stdout: "[]\n", stderr: "" });
});

Deno.test("checkpoint list without a run lists the checkpoints of all runs", async () => {
  const fake = new FakeHpcai();
  const { stdout } = await runCli(fake, "checkpoint", "list", "--limit", "0", "--format", "jsonl");
  const paths = stdout.trimEnd().split("\n").map((line) => JSON.parse(line).checkpointPath);
  const all = fake.trainingRunIds.flatMap((id) => fake.checkpoints(id));
  assertEquals(paths, all.map(({ checkpointPath }) => checkpointPath));
});

Deno.test("checkpoint info accepts a path, or the ids of run and checkpoint", async () => {
  const fake = new FakeHpcai();
  const byPath = await runCli(fake, "checkpoint", "info", `hpcai://${RUN}/weights/final`);
  assertEquals(await runCli(fake, "checkpoint", "info", RUN, "final"), byPath);
  assertEquals(
    byPath.stdout,
    `\
Checkpoint ID  final
Type           training
Created        2026-01-07 10:13:01Z
Size           1 MiB
Path           hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/final
Run ID         eb78693b-380d-40f8-a709-ffe0da185718
Base model     Qwen/Qwen3-8B
LoRA           rank 32
`,
  );
});

Deno.test("hpcai-rx writes unknown for missing values in tables, and null in JSON", async () => {
  const fake = new FakeHpcai({ trainingRuns: 0 });
  fake.addTrainingRun({
    trainingRunId: "run",
    modelOwner: null,
    fields: { last_request_time: null },
  });
  fake.addCheckpoint("run", {
    checkpointId: "c",
    checkpointType: "external",
    fields: { time: null, size_bytes: null, expires_at: "2026-02-01T00:00:00Z" },
  });
  const runs = await runCli(fake, "run", "list");
  assertMatch(runs.stdout, /\nrun +Qwen\/Qwen3-8B +unknown +rank 32 +unknown +ok\n$/);
  const run = await runCli(fake, "run", "info", "run");
  assertMatch(run.stdout, /^Owner +unknown\n(.*\n)*Last request +unknown$/m);
  const path = "hpcai://run/external_weights/c";
  const list = await runCli(fake, "checkpoint", "list");
  assertMatch(list.stdout, new RegExp(`\nc +external +unknown +${path}\n$`));
  const info = await runCli(fake, "checkpoint", "info", path);
  assertMatch(info.stdout, /^Type +external\nCreated +unknown\nExpires +2026-02-01 00:00:00Z$/m);
  const json = await runCli(fake, "checkpoint", "info", path, "--format", "json");
  assertEquals(JSON.parse(json.stdout).time, null);
  const watch = await runCli(fake, "checkpoint", "watch", "run", "--limit", "1");
  assertEquals(watch.stdout, `added    ${path}  unknown\n`);
});

Deno.test("run list writes bold headings on a terminal, unless NO_COLOR, --no-color or TERM=dumb", async () => {
  const fake = new FakeHpcai({ trainingRuns: 1 });
  await using server = serve(fake.handler);
  const stdout = async (env: Record<string, string>, ...args: string[]) => {
    const host = new CapturedHost({ ...environmentOf(fake, server.url), ...env }, {
      isTerminal: true,
    });
    return (await host.run("run", "list", ...args)).stdout;
  };
  assert((await stdout({})).startsWith("\u001b[1mRun ID\u001b[0m"));
  assertMatch(await stdout({ NO_COLOR: "1" }), /^Run ID/);
  assertMatch(await stdout({ TERM: "dumb" }), /^Run ID/);
  assertMatch(await stdout({}, "--no-color"), /^Run ID/);
});

Deno.test("hpcai-rx replaces control characters of a server in tables, and escapes them in JSON", async () => {
  const baseModel = "\u001b]0;owned\u0007\u009b31m\u202emodel\n";
  const fake = new FakeHpcai({ trainingRuns: 0 });
  fake.addTrainingRun({ baseModel, trainingRunId: "run" });
  const table = await runCli(fake, "run", "info", "run");
  assertMatch(table.stdout, /^Base model +�\]0;owned��31m�model�$/m);
  const json = await runCli(fake, "run", "info", "run", "--format", "json");
  assertEquals(JSON.parse(json.stdout).baseModel, baseModel);
  const lines = await runCli(fake, "run", "list", "--format", "jsonl");
  assertEquals(JSON.parse(lines.stdout).baseModel, baseModel);
  // JSON.stringify does not escape these, unlike those below U+0020.
  assertEquals((json.stdout + lines.stdout).match(/[\u009b\u202e]/), null);
});

Deno.test("Output.formatTable aligns wide characters and formats many rows", () => {
  const output = new Output(new CapturedStream(false), "table", createStyles(false));
  assertEquals(
    output.formatTable(["日本", "e\u0301🙂"], { A: (item) => item, B: () => "b" }),
    "A     B\n日本  b\ne\u0301🙂   b",
  );
  const rows = Array.from({ length: 150_000 }, (_, row) => row);
  assertEquals(output.formatTable(rows, { Row: String }).split("\n").length, 1 + rows.length);
});
