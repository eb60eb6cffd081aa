import { FakeHpcai } from "@hpcai/rx/testing";
import { assertEquals, assertMatch } from "@std/assert";
import { serve } from "../integration/loopback_server.ts";
import { CapturedHost, type Outcome } from "./cli_host.ts";
import { cliCommand } from "./cli_process.ts";

/** Lists runs with a key file, which has the key and a line break. */
async function withKeyFile(mode: number, env: (fake: FakeHpcai) => Record<string, string>) {
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

Deno.test("the key is read from a file, whose line break is left out", async () => {
  assertEquals(await withKeyFile(0o600, () => ({})), { code: 0, stderr: "" });
});

Deno.test("a key file that others can read is warned of", async () => {
  const { code, stderr } = await withKeyFile(0o644, () => ({}));
  assertEquals(code, 0);
  assertEquals(stderr, "warning: Others can read FILE; `chmod 600` keeps the key to yourself.\n");
});

Deno.test("the environment's key comes first, and a file that is named for nothing is told", async () => {
  const { code, stderr } = await withKeyFile(0o600, () => ({ HPCAI_API_KEY: "another" }));
  assertEquals(code, 3);
  assertMatch(stderr, /^warning: HPCAI_API_KEY is set, so FILE is not read\.\n/);
});

const refusals: Record<string, () => Promise<Outcome>> = {
  "no key at all, and nobody to ask": () => new CapturedHost().run("run", "list"),
  "a key file that is not there": () =>
    new CapturedHost().run("run", "list", "--api-key-file", "no-such-file"),
  "an empty key file": async () => {
    const file = await Deno.makeTempFile();
    const outcome = await new CapturedHost().run("run", "list", "--api-key-file", file);
    await Deno.remove(file);
    return outcome;
  },
};
for (const [what, refusal] of Object.entries(refusals)) {
  Deno.test(`${what} exits with 3 and says where a key can come from`, async () => {
    const { code, stderr } = await refusal();
    assertEquals(code, 3);
    assertMatch(stderr, /\nSet HPCAI_API_KEY, or name a file .* --api-key-file\.\n$/);
  });
}

Deno.test("the key is read from a file that begins with a byte order mark", async () => {
  const fake = new FakeHpcai({ trainingRuns: 1 });
  await using server = serve(fake.handler);
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, `\ufeff${fake.apiKey}\r\n`);
  const host = new CapturedHost({ HPCAI_BASE_URL: server.url });
  assertEquals((await host.run("run", "list", "--api-key-file", file)).code, 0);
  await Deno.remove(file);
});

Deno.test("a key that can be none exits with 3 and is not shown", async () => {
  const host = new CapturedHost({ HPCAI_API_KEY: "my\nsecret" });
  assertEquals(await host.run("run", "list"), {
    code: 3,
    stdout: "",
    stderr: "error: The API key has a line break.\n" +
      "Check the key in HPCAI_API_KEY or --api-key-file.\n",
  });
});

/** Runs the command in Deno with these permissions only. */
async function withPermissions(permissions: readonly string[], ...args: string[]) {
  const [command, , , ...rest] = cliCommand(...args);
  const cli = rest.slice(rest.findIndex((arg) => !arg.startsWith("--")));
  const { code, stderr } = await new Deno.Command(command, {
    args: ["run", "--no-prompt", ...permissions, ...cli],
    env: { HPCAI_API_KEY: "key-7d1f", HPCAI_BASE_URL: "http://127.0.0.1:8000" },
    stdin: "null",
  }).output();
  return { code, stderr: new TextDecoder().decode(stderr) };
}

Deno.test("a key that Deno may not read exits with 3 and is not called missing", async () => {
  assertEquals(await withPermissions([], "run", "list"), {
    code: 3,
    stderr: "error: HPCAI_API_KEY cannot be read, since Deno lacks the permission.\n" +
      "Run it with --allow-env, or name a file that holds the key with --api-key-file.\n",
  });
});

Deno.test("a key never goes to the default host because HPCAI_BASE_URL may not be read", async () => {
  const { code, stderr } = await withPermissions(
    ["--allow-env=HPCAI_API_KEY", "--allow-net"],
    "run",
    "list",
  );
  assertEquals(code, 2);
  assertMatch(stderr, /HPCAI_BASE_URL.*--allow-env flag\nRun it with --allow-env /);
});
