import { FakeHpcai } from "@hpcai/rx/testing";
import { Buffer } from "node:buffer";
import { stripVTControlCharacters } from "node:util";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { serve } from "../integration/loopback_server.ts";
import { inTemporaryDirectory } from "../temporary_directory.ts";
import { CapturedHost, environmentOf, runCli } from "./cli_host.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";
const PATH = `hpcai://${RUN}/weights/final`;

/** Compares bytes. The difference that assertEquals prints would take minutes. */
function areEqual(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}

Deno.test("checkpoint download saves to a file, or into a directory", () =>
  inTemporaryDirectory(async (directory) => {
    const fake = new FakeHpcai();
    const archive = fake.archive(RUN, "final").slice();
    for (
      const [output, path] of [
        [`${directory}/a.tar.gz`, `${directory}/a.tar.gz`],
        [directory, `${directory}/${RUN}_final.tar.gz`],
        [`${directory}/new/`, `${directory}/new/${RUN}_final.tar.gz`],
      ] as const
    ) {
      const { code, stdout, stderr } = await runCli(
        fake,
        "checkpoint",
        "download",
        PATH,
        "-o",
        output,
      );
      assertEquals([code, stderr], [0, ""]);
      assertMatch(stdout, /^Saved +.*\nSize +1 MiB\nSHA-256 +[0-9a-f]{64}\n$/);
      assert(stdout.includes(path));
      assert(areEqual(await Deno.readFile(path), archive));
    }
  }));

Deno.test("checkpoint download replaces an existing file only with --force", () =>
  inTemporaryDirectory(async (directory) => {
    const file = `${directory}/file`;
    await Deno.writeTextFile(file, "mine");
    const args = ["checkpoint", "download", RUN, "final", "-o", file];
    const { code, stderr } = await runCli(new FakeHpcai(), ...args);
    assertEquals(code, 2);
    assertMatch(stderr, /\nPass --force to replace it, or name another with -o\.\n$/);
    assertEquals(await Deno.readTextFile(file), "mine");
    assertEquals((await runCli(new FakeHpcai(), ...args, "--force")).code, 0);
    assertEquals((await Deno.stat(file)).size, 2 ** 20);
  }));

Deno.test("checkpoint download and extract do not advise --force for a path that it does not replace", () =>
  inTemporaryDirectory(async (directory) => {
    const file = `${directory}/file`;
    await Deno.writeTextFile(file, "mine");
    for (
      const [command, output] of [["download", "/dev/null"], ["extract", file], [
        "extract",
        "/dev/null",
      ]]
    ) {
      for (const force of [[], ["--force"]]) {
        const args = ["checkpoint", command ?? "", RUN, "final", "-o", output ?? "", ...force];
        const { code, stderr } = await runCli(new FakeHpcai(), ...args);
        assertEquals(code, 2);
        assertMatch(
          stderr,
          /is a (device|file), not a (file|directory)\nName another with -o\.\n$/,
        );
      }
    }
    assertEquals(await Deno.readTextFile(file), "mine");
  }));

Deno.test("checkpoint download reports a format that differs from the file name", () =>
  inTemporaryDirectory(async (directory) => {
    const fake = new FakeHpcai();
    fake.faults.add({ type: "status", status: 200, body: "not an archive".repeat(100) }, {
      times: 2,
    });
    const args = ["checkpoint", "download", PATH, "-o"];
    const { code, stdout } = await runCli(fake, ...args, `${directory}/a.tar.gz`);
    assertEquals(code, 0);
    assertMatch(stdout, /\nFormat +unknown, although the name ends with \.tar\.gz\n/);
    const other = await runCli(fake, ...args, `${directory}/a.bin`);
    assertEquals(other.code, 0);
    assert(!other.stdout.includes("Format"));
  }));

Deno.test("checkpoint download writes the outcome in JSON, and the progress in lines of JSON", () =>
  inTemporaryDirectory(async (directory) => {
    const fake = new FakeHpcai();
    const args = ["checkpoint", "download", PATH, "--force", "-o", `${directory}/a.tar.gz`];
    const json = JSON.parse((await runCli(fake, ...args, "--format", "json")).stdout);
    assertEquals([json.type, json.path, json.loaded], [
      "complete",
      `${directory}/a.tar.gz`,
      2 ** 20,
    ]);
    const { stdout } = await runCli(fake, ...args, "--format", "jsonl");
    const types = stdout.trimEnd().split("\n").map((line) => JSON.parse(line).type);
    assertEquals([types.at(0), types.at(-1)], ["progress", "complete"]);
  }));

Deno.test("checkpoint extract creates the directory, and replaces one only with --force", () =>
  inTemporaryDirectory(async (directory) => {
    const args = ["checkpoint", "extract", PATH, "-o", `${directory}/final`];
    const { code, stdout } = await runCli(new FakeHpcai(), ...args);
    assertEquals(code, 0);
    assertMatch(stdout, /^Extracted +.*\nEntries +5\nSize +.*\n$/);
    const config = JSON.parse(await Deno.readTextFile(`${directory}/final/adapter_config.json`));
    assertEquals(config.peft_type, "LORA");
    const again = await runCli(new FakeHpcai(), ...args);
    assertEquals(again.code, 2);
    assertMatch(again.stderr, /^error: .* exists\nPass --force/);
    assertEquals((await runCli(new FakeHpcai(), ...args, "--force")).code, 0);
  }));

Deno.test("checkpoint cat writes the bytes of a file unchanged to a pipe", () =>
  inTemporaryDirectory(async (directory) => {
    const fake = new FakeHpcai();
    await runCli(fake, "checkpoint", "extract", PATH, "-o", `${directory}/final`);
    await using server = serve(fake.handler);
    const host = new CapturedHost(environmentOf(fake, server.url));
    const file = "./adapter_model.safetensors";
    assertEquals((await host.run("checkpoint", "cat", PATH, file)).code, 0);
    assert(areEqual(host.stdout.bytes, await Deno.readFile(`${directory}/final/${file}`)));
  }));

Deno.test("checkpoint cat writes no control characters to a terminal", async () => {
  const fake = new FakeHpcai({ archiveBytes: 20_000 });
  await using server = serve(fake.handler);
  const host = new CapturedHost(environmentOf(fake, server.url), { isTerminal: true });
  assertEquals((await host.run("checkpoint", "cat", PATH, "adapter_model.safetensors")).code, 0);
  // deno-lint-ignore no-control-regex
  assertEquals(host.stdout.text.match(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/), null);
});

Deno.test("checkpoint cat exits with 4 for a missing file and lists the files", async () => {
  assertEquals(await runCli(new FakeHpcai(), "checkpoint", "cat", PATH, "config.json"), {
    code: 4,
    stdout: "",
    stderr: 'error: The archive has no file "config.json"\n' +
      "It contains README.md, adapter_config.json, special_tokens_map.json, tokenizer_config.json, " +
      "adapter_model.safetensors.\n",
  });
});

Deno.test("checkpoint extract never replaces a directory that contains the working or home directory", () =>
  inTemporaryDirectory(async (directory) => {
    const [home, working] = [`${directory}/home/me`, `${directory}/work/here`];
    for (const path of [home, working]) await Deno.mkdir(path, { recursive: true });
    // Deno.symlink needs permission for all files.
    const link = `${directory}/link`;
    await new Deno.Command("bash", { args: ["-c", `ln -s "${home}" "${link}"`] }).output();
    const fake = new FakeHpcai();
    await using server = serve(fake.handler);
    const before = Deno.cwd();
    Deno.chdir(working);
    try {
      const places = [[".", home], ["..", home], [home, home], [`${directory}/home`, home]];
      for (const [place = "", HOME = ""] of [...places, [link, home], [home, link]]) {
        const host = new CapturedHost({ ...environmentOf(fake, server.url), HOME });
        const args = ["checkpoint", "extract", PATH, "-o", place, "--force"];
        const { code, stderr } = await host.run(...args);
        assertEquals(code, 2, place);
        assertMatch(stderr, /^error: Cannot replace .*\nName a new directory with -o\.\n$/);
      }
    } finally {
      Deno.chdir(before);
    }
    assertEquals(fake.requests.length, 0);
  }));

for (
  const [columns, expected] of [
    [80, /^Downloading {2}█{15,18} {2}100 % .* left$/],
    [66, /^Downloading {2}100 % .* left$/],
  ] as const
) {
  Deno.test(`checkpoint download shows the rate and time left on ${columns} columns`, () =>
    inTemporaryDirectory(async (directory) => {
      const fake = new FakeHpcai({ archiveBytes: 1024 * 1023 });
      await using server = serve(fake.handler);
      const host = new CapturedHost(environmentOf(fake, server.url), { isTerminal: true });
      Object.assign(host.stderr, { columns });
      assertEquals(
        (await host.run("checkpoint", "download", PATH, "-o", `${directory}/a`)).code,
        0,
      );
      const bars = stripVTControlCharacters(host.stderr.text);
      const last = bars.slice(bars.lastIndexOf("Downloading"));
      assertMatch(last, expected);
      assert(last.length <= columns, last);
    }));
}
