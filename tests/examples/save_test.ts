import { assert, assertEquals, assertMatch } from "@std/assert";
import { FakeHpcai } from "@hpcai/rx/testing";
import { createHash } from "node:crypto";
import { stateOf } from "../fs/path_state.ts";
import { inTemporaryDirectory } from "../temporary_directory.ts";
import { sha256 } from "../sha256.ts";
import { runTask, taskCommand } from "./run_task.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";
const NAME = `hpcai_${RUN}_weights_step_0010.tar.gz`;

Deno.test("save_with_progress draws a bar and prints the SHA-256 of the file", async () => {
  await inTemporaryDirectory(async (cwd) => {
    const { code, stdout } = await runTask("example:save", ["examples/save_with_progress.ts"], {
      cwd,
    });
    assertEquals(code, 0);
    const lines = stdout.trimEnd().split("\n");
    assertEquals(lines[0], `[${" ".repeat(40)}] 0 %`);
    assertEquals(lines.at(-2), `[${"#".repeat(40)}] 100 %`);
    const saved = await Deno.readFile(`${cwd}/checkpoints/${NAME}`);
    assertEquals(lines.at(-1), `${sha256(saved)}  ./checkpoints/${NAME}`);
  });
});

for (
  const [example, name] of [
    ["extract_checkpoint", "extracted_final"],
    ["extract_checkpoint_by_path", `extracted_hpcai_${RUN}_weights_final`],
  ]
) {
  Deno.test(`${example} writes the files of the archive and prints the directory`, async () => {
    await inTemporaryDirectory(async (cwd) => {
      const { code, stdout } = await runTask("example:save", [`examples/${example}.ts`], { cwd });
      assertEquals(code, 0);
      const directory = `checkpoints/${name}`;
      assertEquals(stdout.trimEnd().split("\n").at(-1), `Checkpoint extracted to: ./${directory}`);
      const config = JSON.parse(await Deno.readTextFile(`${cwd}/${directory}/adapter_config.json`));
      assertEquals(config.base_model_name_or_path, "Qwen/Qwen3-8B");
      assertMatch(stdout, /^\d+ bytes: adapter_model\.safetensors$/m);
    });
  });
}

Deno.test("read_adapter_config prints one file of a 2 GiB archive", async () => {
  const { code, stdout } = await runTask("example", ["examples/read_adapter_config.ts"]);
  assertEquals(code, 0);
  assertMatch(stdout, /base_model_name_or_path: "Qwen\/Qwen3-8B"/);
});

/** Runs the example, sends a signal after the first megabyte and returns the output. */
async function interrupt(cwd: string, signal: Deno.Signal): Promise<string> {
  const program = taskCommand("example:save", ["examples/resume_after_interrupt.ts"], { cwd })
    .spawn();
  let output = "";
  let isRunning = true;
  for await (const text of program.stdout.pipeThrough(new TextDecoderStream())) {
    output += text;
    if (isRunning && /^[1-9]\d*\.\d MB$/m.test(output)) {
      // Once: a second signal would end the program before the received bytes are on disk.
      isRunning = false;
      program.kill(signal);
    }
  }
  await program.stderr.cancel();
  await program.status;
  return output;
}

Deno.test("resume_after_interrupt resumes after Ctrl-C and after SIGKILL", async () => {
  await inTemporaryDirectory(async (cwd) => {
    assertMatch(await interrupt(cwd, "SIGINT"), /^Interrupted\. Run it again to resume\.$/m);
    const partBytes = () => {
      const record = `${stateOf(`${cwd}/checkpoints/${NAME}`)}/part.json`;
      return JSON.parse(Deno.readTextFileSync(record)).synced;
    };
    const first = partBytes();
    assert(first > 0);
    assert(!(await interrupt(cwd, "SIGKILL")).includes("Complete"));
    assert(partBytes() >= first);
    const { code, stdout } = await runTask("example:save", ["examples/resume_after_interrupt.ts"], {
      cwd,
    });
    assertEquals([code, stdout.split("\n").at(-2)], [0, "Complete"]);
    assert(!stdout.startsWith("0.0 MB"));
    const fake = new FakeHpcai({ archiveBytes: 1024 ** 3 });
    const saved = await Deno.open(`${cwd}/checkpoints/${NAME}`);
    const hash = createHash("sha256");
    for await (const chunk of saved.readable) hash.update(chunk);
    const expected = createHash("sha256");
    const archive = fake.archive(RUN, "step_0010");
    for (let at = 0; at < archive.byteLength; at += 2 ** 24) {
      expected.update(archive.slice(at, Math.min(at + 2 ** 24, archive.byteLength)));
    }
    assertEquals(hash.digest("hex"), expected.digest("hex"));
  });
});
