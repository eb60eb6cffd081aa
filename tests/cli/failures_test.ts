import { FakeHpcai } from "@hpcai/rx/testing";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { CapturedHost, type Outcome, runCli } from "./cli_host.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";

const usages: Record<string, string[]> = {
  "an unknown command": ["run", "lists"],
  "no command": ["run"],
  "an unknown option": ["run", "list", "--all"],
  "an unknown format": ["run", "list", "--format", "xml"],
  "a missing argument": ["run", "info"],
  "too many arguments": ["run", "info", "a", "b"],
  "a limit that is no number": ["run", "list", "--limit", "-1"],
  "a duration without a unit": ["checkpoint", "prune", "--older-than", "30", "--yes"],
  "prune without a rule": ["checkpoint", "prune", "--yes"],
  "a path that is none": ["checkpoint", "info", "hpcai://x"],
  "a run id that is none": ["run", "info", ".."],
  "a base URL that is none": ["run", "list", "--base-url", "ftp://nowhere"],
  "watching into one JSON document": ["run", "watch", "--format", "json"],
  "a key on the command line": ["run", "list", "--api-key", "secret"],
};
for (const [what, args] of Object.entries(usages)) {
  Deno.test(`wrong usage exits with 2 and sends nothing: ${what}`, async () => {
    const fake = new FakeHpcai();
    const { code, stdout, stderr } = await runCli(fake, ...args);
    assertEquals([code, stdout], [2, ""]);
    assert(stderr !== "");
    assertEquals(fake.requests.length, 0);
  });
}

Deno.test("--help and --version exit with 0 and write to stdout", async () => {
  for (const args of [["--help"], ["checkpoint", "--help"], ["run", "list", "--help"]]) {
    const { code, stdout, stderr } = await new CapturedHost().run(...args);
    assertEquals([code, stderr], [0, ""]);
    assertMatch(stdout, /^Usage: hpcai-rx /);
  }
  const version = await new CapturedHost().run("--version");
  assertMatch(version.stdout, /^\d+\.\d+\.\d+\n$/);
});

Deno.test("a separator before the options is taken, as deno task hands it on", async () => {
  assertEquals((await new CapturedHost().run("--", "--version")).code, 0);
});

Deno.test("a refused key exits with 3, with a sentence and a next step", async () => {
  const fake = new FakeHpcai();
  fake.faults.add({ type: "status", status: 401, message: "Invalid API key" });
  assertEquals(await runCli(fake, "run", "list"), {
    code: 3,
    stdout: "",
    stderr: "error: HTTP 401: Invalid API key\n" +
      "Check the key in HPCAI_API_KEY or --api-key-file.\n",
  });
});

Deno.test("what may not be done exits with 3", async () => {
  const fake = new FakeHpcai();
  fake.faults.add({ type: "status", status: 403 });
  assertEquals((await runCli(fake, "run", "list")).code, 3);
});

Deno.test("a run that is not there exits with 4; errors stay on stderr also with JSON", async () => {
  assertEquals(await runCli(new FakeHpcai(), "run", "info", "nope", "--format", "json"), {
    code: 4,
    stdout: "",
    stderr: "error: HTTP 404: Training run nope not found\n" +
      "`run list` and `checkpoint list` show what there is.\n",
  });
});

Deno.test("a checkpoint that is not there exits with 4", async () => {
  const { code, stderr } = await runCli(new FakeHpcai(), "checkpoint", "info", RUN, "nope");
  assertEquals(code, 4);
  assertMatch(stderr, new RegExp(`^error: Training run ${RUN} has no checkpoint nope\\.\n`));
});

Deno.test("a redirect that must not be followed, like every lost connection, exits with 5", async () => {
  const fake = new FakeHpcai();
  fake.faults.add({ type: "redirect", location: "ftp://elsewhere.example/" });
  const { code, stderr } = await runCli(fake, "run", "list");
  assertEquals(code, 5);
  assertMatch(stderr, /\nCheck the network and --base-url, then try again\.\n$/);
});

Deno.test("another error exits with 1", async () => {
  const fake = new FakeHpcai();
  fake.faults.add({ type: "status", status: 400, message: "No" });
  assertEquals((await runCli(fake, "run", "list")).code, 1);
});

Deno.test("a try that is repeated is told, unless all is to be quiet", async () => {
  const run = async (...args: string[]) => {
    const fake = new FakeHpcai();
    const headers = { "retry-after-ms": "1" };
    fake.faults.add({ type: "status", status: 429, message: "Slow down", headers });
    return (await runCli(fake, "run", "info", RUN, ...args)).stderr;
  };
  assertEquals(await run(), "HTTP 429: Slow down; trying again in 0.0 s.\n");
  assertEquals(await run("--quiet"), "");
});

Deno.test("--debug tells of requests, and the error's class, status, method and URL", async () => {
  const { stderr } = await runCli(new FakeHpcai(), "run", "info", "nope", "--debug");
  const url = String.raw`http://127\.0\.0\.1:\d+/api/v1/training_runs/nope`;
  assertMatch(stderr, new RegExp(`^debug: request 1\\.1 GET ${url}$`, "m"));
  assertMatch(stderr, new RegExp(`^debug: response 1\\.1 GET ${url} 404 \\d+ ms$`, "m"));
  assertMatch(
    stderr,
    new RegExp(`^debug: NotFoundError: .* \\(GET ${url}\\)\\. .* status=404`, "m"),
  );
});

Deno.test("no output holds the key or a signed URL's query, also with --debug", async () => {
  const outcomes: Outcome[] = [];
  for (const archiveResponse of ["redirect", "json"] as const) {
    const fake = new FakeHpcai({ archiveResponse });
    const cat = ["checkpoint", "cat", `hpcai://${RUN}/weights/final`, "README.md", "--debug"];
    outcomes.push(await runCli(fake, ...cat));
    fake.faults.add({ type: "status", status: 400, message: `${fake.apiKey} is no good` });
    outcomes.push(await runCli(fake, "run", "list", "--debug"));
    fake.faults.add({ type: "status", status: 404, message: "none" }, { on: "storage" });
    outcomes.push(await runCli(fake, ...cat));
  }
  assertEquals(outcomes.map(({ code }) => code), [0, 1, 4, 0, 1, 4]);
  for (const { stdout, stderr } of outcomes) {
    assertEquals((stdout + stderr).match(/fake-key|signature=|\?\w+=/i), null);
  }
});

Deno.test("a refused value is told in a whole sentence, with the option to mend it", async () => {
  const stderr = async (...args: string[]) => (await runCli(new FakeHpcai(), ...args)).stderr;
  assertEquals(
    await stderr("run", "list", "--base-url", "http://example.com"),
    "error: The base URL would send secrets in clear text, since it is http: to a host that is " +
      "not loopback, got http://example.com.\n" +
      "Pass one such as https://www.hpc-ai.com/finetunesdk in --base-url or HPCAI_BASE_URL.\n",
  );
  assertMatch(
    await stderr("run", "watch", "--interval", "0s"),
    /^error: The interval must be a number of milliseconds from 1 to \d+, got 0\.\n/,
  );
});

Deno.test("an argument cannot command the terminal when it is refused", async () => {
  for (const args of [["\u001b[31mrun"], ["run", "list", "--limit", "\u009b31m"]]) {
    const { code, stderr } = await runCli(new FakeHpcai(), ...args);
    assertEquals(code, 2);
    assertMatch(stderr, /�\[?31m/);
    // deno-lint-ignore no-control-regex
    assertEquals(stderr.match(/[\u001b\u009b]/), null);
  }
});
