import { FakeHpcai } from "@hpcai/rx/testing";
import { assertEquals, assertMatch } from "@std/assert";
import { serve } from "../integration/loopback_server.ts";
import { CapturedHost, environmentOf, runCli } from "./cli_host.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";
const path = (checkpointId: string) => `hpcai://${RUN}/weights/${checkpointId}`;

const deletions = (fake: FakeHpcai) =>
  fake.requests.filter(({ method }) => method === "DELETE").length;
const left = (fake: FakeHpcai) => fake.checkpoints(RUN).map(({ checkpointId }) => checkpointId);

Deno.test("delete --yes deletes the named checkpoints, and says so of each", async () => {
  const fake = new FakeHpcai();
  const args = ["checkpoint", "delete", path("step_0010"), path("step_0020"), "--yes"];
  const { code, stdout, stderr } = await runCli(fake, ...args);
  assertEquals([code, stderr], [0, "2 checkpoints deleted.\n"]);
  assertEquals(stdout.trimEnd().split("\n").sort(), [
    `deleted  ${path("step_0010")}`,
    `deleted  ${path("step_0020")}`,
  ]);
  assertEquals(left(fake), ["step_0010-sampler", "final"]);
});

Deno.test("delete --dry-run shows what would go, and deletes nothing", async () => {
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
  Deno.test(`${command[0]} without a terminal and without --yes is refused before any request`, async () => {
    const fake = new FakeHpcai();
    assertEquals(await runCli(fake, "checkpoint", ...command), {
      code: 2,
      stdout: "",
      stderr: "error: There is no terminal to ask on, so nothing is deleted.\n" +
        "Pass --yes to delete without being asked, or --dry-run to see what would go.\n",
    });
    assertEquals(fake.requests.length, 0);
  });
}

Deno.test("delete deletes nothing where one of the checkpoints is not there", async () => {
  const fake = new FakeHpcai();
  const args = ["checkpoint", "delete", path("step_0010"), path("nope"), "--yes"];
  assertEquals((await runCli(fake, ...args)).code, 4);
  assertEquals(deletions(fake), 0);
});

Deno.test("a deletion that fails does not stop the others, and exits with its own code", async () => {
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
  assertMatch(stderr, /^error: 1 of 2 checkpoints could not be deleted\.\n/);
});

Deno.test("one JSON document tells of all deletions, also where some fail", async () => {
  const fake = new FakeHpcai();
  fake.faults.add({ type: "status", status: 403 }, { on: "deleteCheckpoint" });
  const args = ["checkpoint", "delete", path("step_0010"), path("step_0020"), "--yes"];
  const { code, stdout } = await runCli(fake, ...args, "--format", "json");
  const types = JSON.parse(stdout).map(({ type }: { type: string }) => type);
  assertEquals([code, types.sort()], [3, ["deleted", "failed"]]);
});

Deno.test("a path of another type names no checkpoint, and nothing is deleted", async () => {
  const fake = new FakeHpcai();
  const wrong = `hpcai://${RUN}/sampler_weights/final`;
  const { code, stderr } = await runCli(fake, "checkpoint", "delete", wrong, "--yes");
  assertEquals([code, deletions(fake)], [4, 0]);
  assertMatch(stderr, /has no sampler checkpoint final\./);
});

Deno.test("a path that is named twice is deleted once", async () => {
  const fake = new FakeHpcai();
  const args = ["checkpoint", "delete", path("final"), path("final"), "--yes"];
  assertEquals([(await runCli(fake, ...args)).code, deletions(fake)], [0, 1]);
});

Deno.test("prune keeps the last of each type, and never what the run names as its last", async () => {
  const fake = new FakeHpcai();
  const args = ["checkpoint", "prune", "--run", RUN, "--keep-last", "0", "--yes"];
  assertEquals((await runCli(fake, ...args)).code, 0);
  assertEquals(left(fake), ["step_0010-sampler", "final"]);
});

Deno.test("delete takes a checkpoint of a type that is not known, on a server with another scheme too", async () => {
  for (const checkpointPaths of ["weights", "training", "tinker"] as const) {
    const fake = new FakeHpcai({ checkpointPaths, maxCheckpointPageSize: 2 });
    fake.addCheckpoint(RUN, { checkpointId: "e", checkpointType: "external" });
    const path = `hpcai://${RUN}/external_weights/e`;
    assertEquals((await runCli(fake, "checkpoint", "delete", path, "--yes")).code, 0);
    assertEquals(left(fake), ["step_0010", "step_0010-sampler", "step_0020", "final"]);
  }
});

Deno.test("prune leaves types alone that are not known, unless --type names them", async () => {
  const fake = new FakeHpcai();
  for (const checkpointId of ["e1", "e2"]) {
    fake.addCheckpoint(RUN, { checkpointId, checkpointType: "external" });
  }
  const args = ["checkpoint", "prune", "--run", RUN, "--keep-last", "1", "--yes"];
  await runCli(fake, ...args, "--type", "external");
  const others = ["step_0010", "step_0010-sampler", "step_0020", "final"];
  assertEquals(left(fake), [...others, "e2"]);
  await runCli(fake, ...args);
  assertEquals(left(fake), ["step_0010-sampler", "final", "e2"]);
  assertEquals((await runCli(fake, ...args, "--type", "")).code, 2);
});

Deno.test("prune leaves checkpoints alone whose time is unknown", async () => {
  const fake = new FakeHpcai();
  fake.addCheckpoint(RUN, { checkpointId: "t", fields: { time: null } });
  fake.addCheckpoint(RUN, { checkpointId: "last" });
  const args = ["checkpoint", "prune", "--run", RUN, "--keep-last", "0", "--older-than", "1d"];
  await runCli(fake, ...args, "--yes");
  assertEquals(left(fake), ["step_0010-sampler", "t", "last"]);
});

Deno.test("prune --older-than takes s, m, h, d and w, and keeps what is younger", async () => {
  const age = (Date.now() - Date.parse("2026-01-07T10:00:00Z")) / 1000;
  // One checkpoint of the run is older than that moment.
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
    assertEquals(left(fake), ["step_0010-sampler", "step_0020", "final"], older);
  }
});

Deno.test("prune of all runs says where there is nothing to delete", async () => {
  const fake = new FakeHpcai();
  const args = ["checkpoint", "prune", "--keep-last", "9", "--yes"];
  const expected = { code: 0, stdout: "", stderr: "0 checkpoints deleted.\n" };
  assertEquals(await runCli(fake, ...args), expected);
});

Deno.test("one JSON document tells of what was deleted before an interruption", async () => {
  const fake = new FakeHpcai();
  const ids = ["a", "b", "c", "d", "e"];
  for (const checkpointId of ids) fake.addCheckpoint(RUN, { checkpointId });
  // Only the first is deleted; its room among those under way is then the last's.
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
  assertEquals([code, stderr], [130, "Interrupted. `checkpoint list` shows what is left.\n"]);
  const results: { type: string; checkpointId: string }[] = JSON.parse(stdout);
  assertEquals(results.map(({ type, checkpointId }) => [type, checkpointId]), [["deleted", "a"]]);
});
