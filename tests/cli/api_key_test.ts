import { FakeHpcai } from "@hpcai/rx/testing";
import { assertEquals, assertMatch } from "@std/assert";
import { serve } from "../integration/loopback_server.ts";
import { CapturedHost, type Outcome } from "./cli_host.ts";
import { cliCommand } from "./cli_process.ts";

/** Lists runs with a key file, which ends with a line break. */
async function listWithKeyFile(mode: number, env: (fake: FakeHpcai) => Record<string, string>) {
  const fake = new FakeHpcai({ trainingRuns: 1 });
  await using server = serve(fake.handler);
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, `${fake.apiKey}\n`);
    await Deno.chmod(file, mode);
    const host = new CapturedHost({ HPCAI_BASE_URL: server.url, ...env(fake) });
    const { code, stderr } = await host.run("run", "list", "--api-key-file", file);
    return { code, stderr: stderr.replaceAll(file, "FILE") };
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("--api-key-file reads the key and ignores the line break", async () => {
  assertEquals(await listWithKeyFile(0o600, () => ({})), { code: 0, stderr: "" });
});

Deno.test("--api-key-file warns about a file that other users can read", async () => {
  const { code, stderr } = await listWithKeyFile(0o644, () => ({}));
  assertEquals(code, 0);
  assertEquals(
    stderr,
    "warning: Other users can read FILE. Run `chmod 600` to keep the key private.\n",
  );
});

Deno.test("HPCAI_API_KEY takes precedence over --api-key-file, with a warning", async () => {
  const { code, stderr } = await listWithKeyFile(0o600, () => ({ HPCAI_API_KEY: "another" }));
  assertEquals(code, 3);
  assertMatch(stderr, /^warning: HPCAI_API_KEY is set, so FILE is not read\.\n/);
});

const missingKeys: Record<string, () => Promise<Outcome>> = {
  "no key and no terminal": () => new CapturedHost().run("run", "list"),
  "a missing key file": () =>
    new CapturedHost().run("run", "list", "--api-key-file", "no-such-file"),
  "an empty key file": async () => {
    const file = await Deno.makeTempFile();
    const outcome = await new CapturedHost().run("run", "list", "--api-key-file", file);
    await Deno.remove(file);
    return outcome;
  },
};
for (const [what, run] of Object.entries(missingKeys)) {
  Deno.test(`hpcai-rx with ${what} exits with 3 and advises where to set the key`, async () => {
    const { code, stderr } = await run();
    assertEquals(code, 3);
    assertMatch(stderr, /\nSet HPCAI_API_KEY, or pass a file .* --api-key-file\.\n$/);
  });
}

Deno.test("--api-key-file ignores a byte order mark", async () => {
  const fake = new FakeHpcai({ trainingRuns: 1 });
  await using server = serve(fake.handler);
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, `\ufeff${fake.apiKey}\r\n`);
  const host = new CapturedHost({ HPCAI_BASE_URL: server.url });
  assertEquals((await host.run("run", "list", "--api-key-file", file)).code, 0);
  await Deno.remove(file);
});

Deno.test("hpcai-rx exits with 3 for an invalid key and does not show it", async () => {
  const host = new CapturedHost({ HPCAI_API_KEY: "my\nsecret" });
  assertEquals(await host.run("run", "list"), {
    code: 3,
    stdout: "",
    stderr: "error: The API key contains a line break\n" +
      "Check the key in HPCAI_API_KEY or --api-key-file.\n",
  });
});

/** Runs the command in Deno with these permissions only. */
async function runWithPermissions(permissions: readonly string[], ...args: string[]) {
  const [command, , , ...rest] = cliCommand(...args);
  const cli = rest.slice(rest.findIndex((arg) => !arg.startsWith("--")));
  const { code, stderr } = await new Deno.Command(command, {
    args: ["run", "--no-prompt", ...permissions, ...cli],
    env: { HPCAI_API_KEY: "key-7d1f", HPCAI_BASE_URL: "http://127.0.0.1:8000" },
    stdin: "null",
  }).output();
  return { code, stderr: new TextDecoder().decode(stderr) };
}

Deno.test("hpcai-rx exits with 3 if Deno lacks the permission to read the key", async () => {
  assertEquals(await runWithPermissions([], "run", "list"), {
    code: 3,
    stderr: "error: Cannot read HPCAI_API_KEY: Deno lacks the permission\n" +
      "Run with --allow-env, or pass a file that contains the key with --api-key-file.\n",
  });
});

Deno.test("hpcai-rx sends no key to the default host if Deno lacks the permission to read HPCAI_BASE_URL", async () => {
  const { code, stderr } = await runWithPermissions(
    ["--allow-env=HPCAI_API_KEY", "--allow-net"],
    "run",
    "list",
  );
  assertEquals(code, 2);
  assertMatch(stderr, /HPCAI_BASE_URL.*--allow-env flag\nRun it with --allow-env /);
});
