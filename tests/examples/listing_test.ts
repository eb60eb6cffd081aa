import { assertEquals, assertStringIncludes } from "@std/assert";
import { FakeHpcai } from "@hpcai/rx/testing";
import { serve } from "../integration/loopback_server.ts";
import { runTask } from "./run_task.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";

async function outputOf(example: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runTask("example", [`examples/${example}.ts`, ...args]);
  assertEquals(code, 0, stderr);
  return stdout;
}

Deno.test("list_training_runs prints the first page, the total, and LoRA ranks", async () => {
  const output = await outputOf("list_training_runs");
  assertStringIncludes(output, "Found 10 training runs\nTotal available: 24\n");
  assertStringIncludes(output, `  - ${RUN}: Qwen/Qwen3-8B\n    LoRA rank: 32\n`);
  assertEquals(output.match(/^ {2}- /gm)?.length, 10);
});

Deno.test("filter_by_base_model prints only the runs of the model", async () => {
  const output = await outputOf("filter_by_base_model");
  assertStringIncludes(output, "Found 6 training runs for Qwen/Qwen3-8B:\n");
  assertStringIncludes(output, `  - ${RUN} (LoRA rank: 32)\n`);
  assertEquals(output.match(/^ {2}- /gm)?.length, 6);
});

Deno.test("filter_by_base_model takes the model as an argument", async () => {
  assertEquals(
    await outputOf("filter_by_base_model", "none/such"),
    "Found 0 training runs for none/such:\n",
  );
});

Deno.test("get_training_run prints the details of a run", async () => {
  assertEquals(
    await outputOf("get_training_run"),
    `Training Run ID: ${RUN}
Base Model: Qwen/Qwen3-8B
Is LoRA: true
LoRA Rank: 32
Owner: user-3f9c1a
Last Request: 2026-01-07T10:19:18.123Z
Corrupted: false
`,
  );
});

Deno.test("get_training_run takes the id as an argument", async () => {
  const id = new FakeHpcai().trainingRunIds[2] ?? "";
  assertStringIncludes(await outputOf("get_training_run", id), `Training Run ID: ${id}\n`);
});

Deno.test("get_training_run_by_checkpoint_path finds the run of a checkpoint", async () => {
  assertEquals(
    await outputOf("get_training_run_by_checkpoint_path"),
    `Training Run ID: ${RUN}\nBase Model: Qwen/Qwen3-8B\nIs LoRA: true\nLoRA Rank: 32\n`,
  );
});

Deno.test("list_checkpoints prints type, id, time and path of each", async () => {
  const output = await outputOf("list_checkpoints");
  assertStringIncludes(output, "Found 4 checkpoints:\n");
  assertStringIncludes(
    output,
    `  - sampler: step_0010-sampler
    Time: 2026-01-07T10:07:43.769Z
    Path: hpcai://${RUN}/sampler_weights/step_0010-sampler
`,
  );
});

Deno.test("latest_checkpoint prints the checkpoint that was saved last", async () => {
  assertEquals(
    await outputOf("latest_checkpoint"),
    `Latest checkpoint: final
  Type: training
  Time: 2026-01-07T10:13:01.879Z
  Path: hpcai://${RUN}/weights/final
`,
  );
});

Deno.test("search_as_you_type aborts superseded searches and prints the result of the last one", async () => {
  const output = await outputOf("search_as_you_type");
  assertStringIncludes(output, "q: superseded, requests aborted\n");
  assertEquals(output.trimEnd().split("\n").at(-1), "qwen3-32b: 60 training runs");
});

Deno.test("watch_checkpoints prints each checkpoint until the expected one is added", async () => {
  const service = new FakeHpcai({ trainingRuns: 1 });
  let polls = 0;
  await using server = serve((request) => {
    if (++polls === 3) service.addCheckpoint(RUN, { checkpointId: "step_0030" });
    return service.handler(request);
  });
  const { stdout } = await runTask(
    "example",
    ["examples/watch_checkpoints.ts", RUN, "step_0030", "0.01"],
    {
      env: {
        HPCAI_API_KEY: service.apiKey,
        HPCAI_BASE_URL: server.url,
      },
    },
  );
  assertEquals(
    stdout,
    `added: training step_0010
added: sampler step_0010-sampler
added: training step_0020
added: training final
added: training step_0030
`,
  );
  assertEquals(polls, 3);
});

Deno.test("list_training_runs with a key reads from the service instead of the embedded API", async () => {
  const service = new FakeHpcai({ trainingRuns: 3 });
  await using server = serve(service.handler);
  const { stdout } = await runTask("example", ["examples/list_training_runs.ts"], {
    env: { HPCAI_API_KEY: service.apiKey, HPCAI_BASE_URL: server.url },
  });
  assertStringIncludes(stdout, "Found 3 training runs\nTotal available: 3\n");
  assertEquals(service.requests.length, 1);
});
