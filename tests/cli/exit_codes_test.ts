import { FakeHpcai } from "@hpcai/rx/testing";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { CapturedHost, type Outcome, runCli } from "./cli_host.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";

const usageErrors: Record<string, string[]> = {
  "an unknown command": ["run", "lists"],
  "no command": ["run"],
  "an unknown option": ["run", "list", "--all"],
  "an unknown format": ["run", "list", "--format", "xml"],
  "a missing argument": ["run", "info"],
  "too many arguments": ["run", "info", "a", "b"],
  "a negative limit": ["run", "list", "--limit", "-1"],
  "a duration without a unit": ["checkpoint", "prune", "--older-than", "30", "--yes"],
  "prune without a rule": ["checkpoint", "prune", "--yes"],
  "an invalid path": ["checkpoint", "info", "hpcai://x"],
  "an invalid run ID": ["run", "info", ".."],
  "an unsupported base URL": ["run", "list", "--base-url", "ftp://nowhere"],
  "watching into one JSON document": ["run", "watch", "--format", "json"],
  "a key on the command line": ["run", "list", "--api-key", "secret"],
};
for (const [what, args] of Object.entries(usageErrors)) {
  Deno.test(`hpcai-rx exits with 2 before any request for ${what}`, async () => {
    const fake = new FakeHpcai();
    const { code, stdout, stderr } = await runCli(fake, ...args);
    assertEquals([code, stdout], [2, ""]);
    assert(stderr !== "");
    assertEquals(fake.requests.length, 0);
  });
}

Deno.test("hpcai-rx --help and --version exit with 0 and write to stdout", async () => {
  for (const args of [["--help"], ["checkpoint", "--help"], ["run", "list", "--help"]]) {
    const { code, stdout, stderr } = await new CapturedHost().run(...args);
    assertEquals([code, stderr], [0, ""]);
    assertMatch(stdout, /^Usage: hpcai-rx /);
  }
  const version = await new CapturedHost().run("--version");
  assertMatch(version.stdout, /^\d+\.\d+\.\d+\n$/);
});

Deno.test("hpcai-rx accepts -- before the options, as deno task passes it", async () => {
  assertEquals((await new CapturedHost().run("--", "--version")).code, 0);
});

Deno.test("hpcai-rx exits with 3 for a rejected key, with the problem and advice", async () => {
  const fake = new FakeHpcai();
  fake.faults.add({ type: "status", status: 401, message: "Invalid API key" });
  assertEquals(await runCli(fake, "run", "list"), {
    code: 3,
    stdout: "",
    stderr: "error: HTTP 401: Invalid API key\n" +
      "Check the key in HPCAI_API_KEY or --api-key-file.\n",
  });
});

Deno.test("hpcai-rx exits with 3 for a missing permission", async () => {
  const fake = new FakeHpcai();
  fake.faults.add({ type: "status", status: 403 });
  assertEquals((await runCli(fake, "run", "list")).code, 3);
});

Deno.test("run info exits with 4 for a missing run, and writes the error to stderr with JSON too", async () => {
  assertEquals(await runCli(new FakeHpcai(), "run", "info", "nope", "--format", "json"), {
    code: 4,
    stdout: "",
    stderr: "error: HTTP 404: Training run nope not found\n" +
      "`run list` and `checkpoint list` show what exists.\n",
  });
});

Deno.test("checkpoint info exits with 4 for a missing checkpoint", async () => {
  const { code, stderr } = await runCli(new FakeHpcai(), "checkpoint", "info", RUN, "nope");
  assertEquals(code, 4);
  assertMatch(stderr, new RegExp(`^error: Training run ${RUN} has no checkpoint nope\n`));
});

Deno.test("hpcai-rx exits with 5 for a redirect that it cannot follow", async () => {
  const fake = new FakeHpcai();
  fake.faults.add({ type: "redirect", location: "ftp://elsewhere.example/" });
  const { code, stderr } = await runCli(fake, "run", "list");
  assertEquals(code, 5);
  assertMatch(stderr, /\nCheck --base-url\.\n$/);
});

Deno.test("hpcai-rx exits with 1 for other errors", async () => {
  const fake = new FakeHpcai();
  fake.faults.add({ type: "status", status: 400, message: "No" });
  assertEquals((await runCli(fake, "run", "list")).code, 1);
});

Deno.test("hpcai-rx notes each retry, unless --quiet", async () => {
  const run = async (...args: string[]) => {
    const fake = new FakeHpcai();
    const headers = { "retry-after-ms": "1" };
    fake.faults.add({ type: "status", status: 429, message: "Slow down", headers });
    return (await runCli(fake, "run", "info", RUN, ...args)).stderr;
  };
  assertEquals(await run(), "HTTP 429: Slow down; retrying in 0.0 s\n");
  assertEquals(await run("--quiet"), "");
});

Deno.test("--debug shows each request, and the class and fields of the error", async () => {
  const fake = new FakeHpcai();
  const headers = { "x-request-id": "req-7" };
  fake.faults.add({ type: "status", status: 404, message: "No run", headers });
  const { stderr } = await runCli(fake, "run", "info", "nope", "--debug");
  const url = String.raw`http://127\.0\.0\.1:\d+/api/v1/training_runs/nope`;
  const hop = `GET ${url} call=1 attempt=1 hop=1 origin=api`;
  const lines = [
    `debug: request ${hop}`,
    `debug: response ${hop} status=404 durationMs=\\d+ requestId=req-7`,
    `debug: error GET ${url} call=1 attempt=1 NotFoundError: HTTP 404: No run .*`,
    "error: HTTP 404: No run",
    ".*",
    "debug: NotFoundError: HTTP 404: No run " +
    `method=GET requestUrl=${url} requestId=req-7 status=404 code=not_found`,
  ];
  assertMatch(stderr, new RegExp(`^${lines.join("\n")}\n$`));
});

Deno.test("--debug shows each hop with its origin, and retries with their delay", async () => {
  const fake = new FakeHpcai({ archiveResponse: "redirect" });
  const headers = { "retry-after-ms": "1" };
  fake.faults.add({ type: "status", status: 503, message: "Busy", headers }, { on: "storage" });
  const path = `hpcai://${RUN}/weights/final`;
  const { stderr } = await runCli(fake, "checkpoint", "cat", path, "README.md", "--debug");
  const hops = [...stderr.matchAll(/^debug: (\w+) GET [^ ?]+ call=1 (.*?)(?: durationMs=\d+)?$/gm)]
    .map(([, type, fields]) => `${type} ${fields}`);
  assertEquals(hops, [
    "request attempt=1 hop=1 origin=api",
    "response attempt=1 hop=1 origin=api status=302",
    "request attempt=1 hop=2 origin=other",
    "response attempt=1 hop=2 origin=other status=503",
    hops[4],
    "request attempt=2 hop=1 origin=api",
    "response attempt=2 hop=1 origin=api status=302",
    "request attempt=2 hop=2 origin=other",
    "response attempt=2 hop=2 origin=other status=200",
  ]);
  assertMatch(hops[4] ?? "", /^retry attempt=1 delayMs=1 InternalServerError: HTTP 503: Busy /);
});

Deno.test("--debug shows neither the key nor the query of a signed URL", async () => {
  const outcomes: Outcome[] = [];
  for (const archiveResponse of ["redirect", "json"] as const) {
    const fake = new FakeHpcai({ archiveResponse });
    const cat = ["checkpoint", "cat", `hpcai://${RUN}/weights/final`, "README.md", "--debug"];
    outcomes.push(await runCli(fake, ...cat));
    fake.faults.add({ type: "status", status: 400, message: `${fake.apiKey} is invalid` });
    outcomes.push(await runCli(fake, "run", "list", "--debug"));
    fake.faults.add({ type: "status", status: 404, message: "none" }, { on: "storage" });
    outcomes.push(await runCli(fake, ...cat));
  }
  assertEquals(outcomes.map(({ code }) => code), [0, 1, 4, 0, 1, 4]);
  for (const { stdout, stderr } of outcomes) {
    assertEquals((stdout + stderr).match(/fake-key|signature=|\?\w+=/i), null);
  }
});

Deno.test("hpcai-rx names the option of an invalid value", async () => {
  const stderr = async (...args: string[]) => (await runCli(new FakeHpcai(), ...args)).stderr;
  assertEquals(
    await stderr("run", "list", "--base-url", "http://example.com"),
    "error: The base URL would send secrets in clear text, since it is http: to a host that is " +
      "not loopback, got http://example.com\n" +
      "Pass a URL such as https://www.hpc-ai.com/finetunesdk with --base-url or HPCAI_BASE_URL.\n",
  );
  assertMatch(
    await stderr("run", "watch", "--interval", "0s"),
    /^error: The interval must be a number of milliseconds from 1 to \d+, got 0\n/,
  );
});

Deno.test("hpcai-rx escapes control characters of an invalid argument", async () => {
  for (const args of [["\u001b[31mrun"], ["run", "list", "--limit", "\u009b31m"]]) {
    const { code, stderr } = await runCli(new FakeHpcai(), ...args);
    assertEquals(code, 2);
    assertMatch(stderr, /�\[?31m/);
    // deno-lint-ignore no-control-regex
    assertEquals(stderr.match(/[\u001b\u009b]/), null);
  }
});
