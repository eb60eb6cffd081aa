/** Runs every example one after another in one directory, against a service behind a socket. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { FakeHpcai } from "@hpcai/rx/testing";
import { inTemporaryDirectory } from "../temporary_directory.ts";
import { serve } from "../integration/loopback_server.ts";
import { type ExampleTask, runTask } from "./run_task.ts";

const EXAMPLES = new URL("../../examples/", import.meta.url);
const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";

/** With a service, these need arguments. Each names another checkpoint. */
const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  "delete_checkpoint.ts": [RUN, "step_0010"],
  "delete_checkpoint_by_path.ts": [`hpcai://${RUN}/weights/step_0020`],
  "safe_delete.ts": [RUN, "step_0010-sampler"],
  "safe_delete_by_path.ts": [`hpcai://${RUN}/weights/final`],
};

/** The modules that only examples import. */
const SHARED_MODULES = ["connect.ts", "local_path.ts"];

/** The examples of the API reference, each of which has a program. */
const REFERENCE_EXAMPLES = [
  "delete_checkpoint.ts",
  "delete_checkpoint_by_path.ts",
  "download_checkpoint.ts",
  "download_checkpoint_by_path.ts",
  "extract_checkpoint.ts",
  "extract_checkpoint_by_path.ts",
  "filter_by_base_model.ts",
  "get_training_run.ts",
  "get_training_run_by_checkpoint_path.ts",
  "latest_checkpoint.ts",
  "list_checkpoints.ts",
  "list_training_runs.ts",
  "safe_delete.ts",
  "safe_delete_by_path.ts",
];

/** The programs with the task that their documentation names; those that delete come last. */
async function examples(): Promise<{ name: string; task: ExampleTask }[]> {
  const names = await Array.fromAsync(Deno.readDir(EXAMPLES), ({ name }) => name);
  const programs = names.filter((name) =>
    name.endsWith(".ts") && name !== "demo.ts" && !SHARED_MODULES.includes(name)
  );
  const isDeletion = (name: string) => name in ARGUMENTS;
  const sorted = programs.sort().sort((a, b) => Number(isDeletion(a)) - Number(isDeletion(b)));
  return Promise.all(sorted.map(async (name) => {
    const source = await Deno.readTextFile(new URL(name, EXAMPLES));
    const documented = new RegExp(
      `^ \\*     deno task (example(?::save)?) examples/${name}\\b`,
      "m",
    );
    assertMatch(source, documented);
    const isSaving = documented.exec(source)?.[1] === "example:save";
    return { name, task: isSaving ? "example:save" as const : "example" as const };
  }));
}

Deno.test("examples/ has a program for each example of the API reference", async () => {
  const names = (await examples()).map(({ name }) => name);
  assertEquals(REFERENCE_EXAMPLES.filter((name) => !names.includes(name)), []);
});

Deno.test("examples/ has programs that run with HPCAI_BASE_URL, and again in the same directory", async () => {
  await inTemporaryDirectory(async (cwd) => {
    for (let round = 1; round <= 2; round++) {
      const service = new FakeHpcai({ archiveResponse: "redirect" });
      await using server = serve(service.handler);
      const HPCAI_BASE_URL = server.url;
      const env = { HPCAI_API_KEY: service.apiKey, HPCAI_BASE_URL };
      for (const { name, task } of await examples()) {
        const requests = service.requests.length;
        const args = [`examples/${name}`, ...(ARGUMENTS[name] ?? [])];
        const { code, stdout, stderr } = await runTask(task, args, { cwd, env });
        assertEquals([code, stderr], [0, ""], `round ${round}: ${name}\n${stdout}`);
        // In the second round, files are recognized as complete without a request.
        if (round === 1) assert(service.requests.length > requests, name);
      }
      assertEquals(service.checkpoints(RUN), []);
    }
  });
});
