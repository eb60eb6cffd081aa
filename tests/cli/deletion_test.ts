import { FakeHpcai } from "@hpcai/rx/testing";
import { assertEquals, assertMatch } from "@std/assert";
import { serve } from "../integration/loopback_server.ts";
import { CapturedHost, environmentOf, runCli } from "./cli_host.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";
const path = (checkpointId: string) => `hpcai://${RUN}/weights/${checkpointId}`;

const deletions = (fake: FakeHpcai) =>
  fake.requests.filter(({ method }) => method === "DELETE").length;
const remaining = (fake: FakeHpcai) =>
  fake.checkpoints(RUN).map(({ checkpointId }) => checkpointId);

Deno.test("checkpoint delete --yes deletes the checkpoints and reports each", async () => {
  const fake = new FakeHpcai();
  const args = ["checkpoint", "delete", path("step_0010"), path("step_0020"), "--yes"];
  const { code, stdout, stderr } = await runCli(fake, ...args);
  assertEquals([code, stderr], [0, "2 checkpoints deleted.\n"]);
  assertEquals(stdout.trimEnd().split("\n").sort(), [
    `deleted  ${path("step_0010")}`,
    `deleted  ${path("step_0020")}`,
  ]);
  assertEquals(remaining(fake), ["step_0010-sampler", "final"]);
});

Deno.test("checkpoint delete --dry-run lists the checkpoints and deletes nothing", async () => {
  const fake = new FakeHpcai();
  const args = ["checkpoint", "delete", path("step_0010"), "--dry-run"];
  const { code, stdout, stderr } = await runCli(fake, ...args);
  assertEquals([code, stderr], [0, "1 checkpoint would be deleted.\n"]);
  assertMatch(stdout, /^Checkpoint ID.*\nstep_0010 .*weights\/step_0010\n$/);
  const json = await runCli(fake, ...args, "--format", "json");
  assertEquals(JSON.parse(json.stdout), [{
    type: "planned",
    trainingRunId: RUN,
    checkpointId: "step_0010",
    checkpointType: "training",
    time: "2026-01-07T09:57:55.138Z",
    checkpointPath: path("step_0010"),
    sizeBytes: 2 ** 20,
    public: false,
  }]);
  assertEquals(deletions(fake), 0);
});

for (const command of [["delete", path("final")], ["prune", "--keep-last", "1"]]) {
  Deno.test(`checkpoint ${command[0]} fails without a terminal and --yes before any request`, async () => {
    const fake = new FakeHpcai();
    assertEquals(await runCli(fake, "checkpoint", ...command), {
      code: 2,
      stdout: "",
      stderr: "error: Cannot prompt for confirmation without a terminal\n" +
        "Pass --yes to delete without a prompt, or --dry-run to see what would be deleted.\n",
    });
    assertEquals(fake.requests.length, 0);
  });
}

Deno.test("checkpoint delete deletes nothing if a checkpoint does not exist", async () => {
  const fake = new FakeHpcai();
  const args = ["checkpoint", "delete", path("step_0010"), path("nope"), "--yes"];
  assertEquals((await runCli(fake, ...args)).code, 4);
  assertEquals(deletions(fake), 0);
});

Deno.test("checkpoint delete continues after a failed deletion and exits with its code", async () => {
  const fake = new FakeHpcai();
  const fault = { type: "status", status: 403, message: "Not yours" } as const;
  fake.faults.add(fault, {
    on: ({ method, url }) => method === "DELETE" && url.endsWith("/step_0010"),
  });
  const args = ["checkpoint", "delete", path("step_0010"), path("step_0020"), "--yes"];
  const { code, stdout, stderr } = await runCli(fake, ...args, "--format", "jsonl");
  assertEquals(code, 3);
  const results = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(
    results.map(({ type, checkpointId, error }) => [checkpointId, type, error]).sort(),
    [
      ["step_0010", "failed", "HTTP 403: Not yours"],
      ["step_0020", "deleted", undefined],
    ],
  );
  assertMatch(stderr, /^error: Cannot delete 1 of 2 checkpoints\n/);
});

Deno.test("checkpoint delete writes all outcomes in one JSON document, including failures", async () => {
  const fake = new FakeHpcai();
  fake.faults.add({ type: "status", status: 403 }, { on: "deleteCheckpoint" });
  const args = ["checkpoint", "delete", path("step_0010"), path("step_0020"), "--yes"];
  const { code, stdout } = await runCli(fake, ...args, "--format", "json");
  const types = JSON.parse(stdout).map(({ type }: { type: string }) => type);
  assertEquals([code, types.sort()], [3, ["deleted", "failed"]]);
});

Deno.test("checkpoint delete deletes nothing for a path with another type", async () => {
  const fake = new FakeHpcai();
  const otherType = `hpcai://${RUN}/sampler_weights/final`;
  const { code, stderr } = await runCli(fake, "checkpoint", "delete", otherType, "--yes");
  assertEquals([code, deletions(fake)], [4, 0]);
  assertMatch(stderr, /has no sampler checkpoint final\n/);
});

Deno.test("checkpoint delete deletes a repeated path once", async () => {
  const fake = new FakeHpcai();
  const args = ["checkpoint", "delete", path("final"), path("final"), "--yes"];
  assertEquals([(await runCli(fake, ...args)).code, deletions(fake)], [0, 1]);
});

Deno.test("checkpoint prune never deletes the last checkpoints of a run", async () => {
  const fake = new FakeHpcai();
  const args = ["checkpoint", "prune", "--run", RUN, "--keep-last", "0", "--yes"];
  assertEquals((await runCli(fake, ...args)).code, 0);
  assertEquals(remaining(fake), ["step_0010-sampler", "final"]);
});

Deno.test("checkpoint delete accepts an unknown type, also on a server with another scheme", async () => {
  for (const checkpointPaths of ["weights", "training", "tinker"] as const) {
    const fake = new FakeHpcai({ checkpointPaths, maxCheckpointPageSize: 2 });
    fake.addCheckpoint(RUN, { checkpointId: "e", checkpointType: "external" });
    const path = `hpcai://${RUN}/external_weights/e`;
    assertEquals((await runCli(fake, "checkpoint", "delete", path, "--yes")).code, 0);
    assertEquals(remaining(fake), ["step_0010", "step_0010-sampler", "step_0020", "final"]);
  }
});

Deno.test("checkpoint prune deletes unknown types only with --type", async () => {
  const fake = new FakeHpcai();
  for (const checkpointId of ["e1", "e2"]) {
    fake.addCheckpoint(RUN, { checkpointId, checkpointType: "external" });
  }
  const args = ["checkpoint", "prune", "--run", RUN, "--keep-last", "1", "--yes"];
  await runCli(fake, ...args, "--type", "external");
  const others = ["step_0010", "step_0010-sampler", "step_0020", "final"];
  assertEquals(remaining(fake), [...others, "e2"]);
  await runCli(fake, ...args);
  assertEquals(remaining(fake), ["step_0010-sampler", "final", "e2"]);
  assertEquals((await runCli(fake, ...args, "--type", "")).code, 2);
});

Deno.test("checkpoint prune keeps checkpoints without a time", async () => {
  const fake = new FakeHpcai();
  fake.addCheckpoint(RUN, { checkpointId: "t", fields: { time: null } });
  fake.addCheckpoint(RUN, { checkpointId: "last" });
  const args = ["checkpoint", "prune", "--run", RUN, "--keep-last", "0", "--older-than", "1d"];
  await runCli(fake, ...args, "--yes");
  assertEquals(remaining(fake), ["step_0010-sampler", "t", "last"]);
});

Deno.test("checkpoint prune --older-than accepts s, m, h, d and w", async () => {
  const age = (Date.now() - Date.parse("2026-01-07T10:00:00Z")) / 1000;
  // One checkpoint of the run is older than that time.
  for (
    const older of [
      `${Math.round(age)}s`,
      `${(age / 60).toFixed(2)}m`,
      `${(age / 3600).toFixed(4)}h`,
      `${(age / 86400).toFixed(6)}d`,
      `${(age / 604800).toFixed(7)}w`,
    ]
  ) {
    const fake = new FakeHpcai();
    await runCli(fake, "checkpoint", "prune", "--run-id", RUN, "--older-than", older, "--yes");
    assertEquals(remaining(fake), ["step_0010-sampler", "step_0020", "final"], older);
  }
});

Deno.test("checkpoint prune reports that nothing was deleted", async () => {
  const fake = new FakeHpcai();
  const args = ["checkpoint", "prune", "--keep-last", "9", "--yes"];
  const expected = { code: 0, stdout: "", stderr: "0 checkpoints deleted.\n" };
  assertEquals(await runCli(fake, ...args), expected);
});

Deno.test("checkpoint delete writes the outcomes before an interruption in one JSON document", async () => {
  const fake = new FakeHpcai();
  const ids = ["a", "b", "c", "d", "e"];
  for (const checkpointId of ids) fake.addCheckpoint(RUN, { checkpointId });
  // Only the first is deleted; the last one starts after it, as the fifth of four concurrent requests.
  fake.faults.add({ type: "delay", ms: Infinity }, {
    on: ({ method, url }) => method === "DELETE" && !url.endsWith("/a"),
    times: Infinity,
  });
  await using server = serve((request) => {
    if (request.method === "DELETE" && request.url.endsWith("/e")) host.emit("SIGINT");
    return fake.handler(request);
  });
  const host = new CapturedHost(environmentOf(fake, server.url));
  const args = ["checkpoint", "delete", ...ids.map(path), "--yes", "--format", "json"];
  const { code, stdout, stderr } = await host.run(...args);
  assertEquals([code, stderr], [
    130,
    "Interrupted. `checkpoint list` shows the remaining checkpoints.\n",
  ]);
  const results: { type: string; checkpointId: string }[] = JSON.parse(stdout);
  assertEquals(results.map(({ type, checkpointId }) => [type, checkpointId]), [["deleted", "a"]]);
});
