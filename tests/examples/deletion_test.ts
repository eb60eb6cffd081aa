import { assertEquals, assertStringIncludes } from "@std/assert";
import { runTask } from "./run_task.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";
const PATH = `hpcai://${RUN}/weights/step_0010`;

function run(example: string, ...args: string[]) {
  return runTask("example", [`examples/${example}.ts`, ...args]);
}

Deno.test("delete_checkpoint deletes the checkpoint", async () => {
  const { code, stdout } = await run("delete_checkpoint");
  assertEquals([code, stdout], [0, "Checkpoint step_0010 deleted successfully\n"]);
});

Deno.test("delete_checkpoint prints the error of the server", async () => {
  const { code, stdout, stderr } = await run("delete_checkpoint", RUN, "nope");
  assertEquals([code, stdout], [1, ""]);
  assertStringIncludes(
    stderr,
    `Failed to delete checkpoint: HTTP 404: Checkpoint nope not found in ${RUN}`,
  );
});

Deno.test("delete_checkpoint_by_path deletes the checkpoint", async () => {
  const { code, stdout } = await run("delete_checkpoint_by_path");
  assertEquals([code, stdout], [0, `Checkpoint ${PATH} deleted successfully\n`]);
});

Deno.test("delete_checkpoint_by_path prints why a path is invalid", async () => {
  const { code, stderr } = await run("delete_checkpoint_by_path", "step_0010");
  assertEquals(code, 1);
  assertStringIncludes(
    stderr,
    "Failed to delete checkpoint: checkpointPath must be a checkpoint path",
  );
});

Deno.test("safe_delete finds the checkpoint, warns, and deletes", async () => {
  const { code, stdout } = await run("safe_delete");
  assertEquals(
    [code, stdout],
    [
      0,
      "Found checkpoint step_0010\n" +
      "WARNING: This will permanently delete the checkpoint!\n" +
      "Checkpoint step_0010 deleted\n",
    ],
  );
});

Deno.test("safe_delete reports a checkpoint that does not exist", async () => {
  const { code, stdout } = await run("safe_delete", RUN, "nope");
  assertEquals([code, stdout], [0, "Checkpoint nope does not exist\n"]);
});

Deno.test("safe_delete_by_path finds the checkpoint, warns, and deletes", async () => {
  const { code, stdout } = await run("safe_delete_by_path");
  assertEquals(
    [code, stdout],
    [
      0,
      `Found checkpoint ${PATH}\n` +
      "WARNING: This will permanently delete the checkpoint!\n" +
      `Checkpoint ${PATH} deleted\n`,
    ],
  );
});

Deno.test("safe_delete_by_path reports a checkpoint that does not exist", async () => {
  const sampler = `hpcai://${RUN}/sampler_weights/step_0010`;
  const { code, stdout } = await run("safe_delete_by_path", sampler);
  assertEquals([code, stdout], [0, `Checkpoint ${sampler} does not exist\n`]);
});

for (
  const example of [
    "delete_checkpoint",
    "delete_checkpoint_by_path",
    "safe_delete",
    "safe_delete_by_path",
  ]
) {
  Deno.test(`${example} with a service deletes nothing without arguments`, async () => {
    for (const env of [{ HPCAI_API_KEY: "key" }, { HPCAI_BASE_URL: "http://127.0.0.1:9" }]) {
      const { code, stdout, stderr } = await runTask("example", [`examples/${example}.ts`], {
        env,
      });
      assertEquals([code, stdout], [2, ""]);
      assertStringIncludes(stderr, "Nothing was deleted. Pass what to delete");
    }
  });
}
