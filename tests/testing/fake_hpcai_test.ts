import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { FakeHpcai, type FakeHpcaiOptions } from "@hpcai/rx/testing";

const BASE = "https://www.hpc-ai.com/finetunesdk/api/v1/training_runs";
const FIRST_RUN = "eb78693b-380d-40f8-a709-ffe0da185718";

function get(fake: FakeHpcai, path = "", init: RequestInit = {}): Promise<Response> {
  return fake.fetch(BASE + path, {
    ...init,
    headers: { "X-API-Key": fake.apiKey, ...init.headers },
  });
}

async function getJson(fake: FakeHpcai, path = "") {
  const response = await get(fake, path);
  assertEquals(response.status, 200);
  return response.json();
}

function ids(page: { training_runs: { training_run_id: string }[] }): string[] {
  return page.training_runs.map((run) => run.training_run_id);
}

Deno.test("FakeHpcai lists runs in a page of 20 with a cursor by default", async () => {
  const page = await getJson(new FakeHpcai());
  assertEquals(page.training_runs.length, 20);
  assertEquals(page.cursor, { offset: 0, limit: 20, total_count: 24 });
});

Deno.test("offset is the position of the first item of a page", async () => {
  const fake = new FakeHpcai();
  const page = await getJson(fake, "?limit=3&offset=22");
  assertEquals(ids(page), fake.trainingRunIds.slice(22));
  assertEquals(page.cursor, { offset: 22, limit: 3, total_count: 24 });
});

Deno.test("maxPageSize caps a page and the limit of its cursor", async () => {
  const page = await getJson(new FakeHpcai({ maxPageSize: 5 }), "?limit=50");
  assertEquals(page.training_runs.length, 5);
  assertEquals(page.cursor.limit, 5);
});

Deno.test("totalCountPastEnd is the total of a page past the end, or 0", async () => {
  const exact = await getJson(new FakeHpcai(), "?offset=24");
  assertEquals([exact.training_runs, exact.cursor.total_count], [[], 24]);
  const zero = await getJson(new FakeHpcai({ totalCountPastEnd: "zero" }), "?offset=24");
  assertEquals([zero.training_runs, zero.cursor.total_count], [[], 0]);
});

Deno.test("FakeHpcai responds to an invalid limit or offset with a 422 of FastAPI", async () => {
  for (
    const [query, name] of [["limit=0", "limit"], ["limit=x", "limit"], ["offset=-1", "offset"]]
  ) {
    const response = await get(new FakeHpcai(), `?${query}`);
    assertEquals(response.status, 422);
    assertEquals((await response.json()).detail[0].loc, ["query", name]);
  }
});

Deno.test("FakeHpcai begins with the run of the API reference", async () => {
  const run = await getJson(new FakeHpcai({ trainingRuns: 1 }), `/${FIRST_RUN}`);
  assertEquals(run.base_model, "Qwen/Qwen3-8B");
  assertEquals(run.last_checkpoint.checkpoint_id, "final");
  assertEquals(run.last_sampler_checkpoint.checkpoint_id, "step_0010-sampler");
  assertEquals(run.last_request_time, "2026-01-07T10:19:18.123456Z");
});

Deno.test("last_checkpoint and last_sampler_checkpoint are the last of the run's list", async () => {
  const fake = new FakeHpcai({ trainingRuns: 60 });
  for (const run of (await getJson(fake, "?limit=60")).training_runs) {
    const { checkpoints } = await getJson(fake, `/${run.training_run_id}/checkpoints`);
    const last = (type: string) =>
      checkpoints.findLast((c: { checkpoint_type: string }) => c.checkpoint_type === type) ?? null;
    assertEquals(run.last_checkpoint ?? null, last("training"));
    assertEquals(run.last_sampler_checkpoint ?? null, last("sampler"));
    const times = checkpoints.map((c: { time: string }) => c.time);
    assertEquals(times, times.toSorted());
    assert(times.every((time: string) => time < run.last_request_time));
  }
});

Deno.test("FakeHpcai generates every kind of run that a client has to support", async () => {
  const { training_runs } = await getJson(new FakeHpcai({ trainingRuns: 60 }), "?limit=60");
  const some = (test: (run: Record<string, unknown>) => boolean) => training_runs.some(test);
  assert(some((run) => run.is_lora === false && run.lora_rank === null));
  assert(some((run) => run.is_lora === false && !("lora_rank" in run)));
  assert(some((run) => run.corrupted === true));
  assert(some((run) => !("corrupted" in run)));
  assert(some((run) => run.last_checkpoint === null));
  assert(some((run) => !("last_checkpoint" in run)));
});

Deno.test("seed determines the data", async () => {
  const text = async (seed: number) => (await get(new FakeHpcai({ seed }))).text();
  assertEquals(await text(7), await text(7));
  assertNotEquals(await text(7), await text(8));
});

Deno.test("seed determines the archives", async () => {
  const [first, second] = [1, 2].map((seed) => new FakeHpcai({ seed }).archive(FIRST_RUN, "final"));
  assertNotEquals(await first?.sha256(), await second?.sha256());
});

Deno.test("timestamps and checkpointPaths select the wire format", async () => {
  const fake = new FakeHpcai({ timestamps: "naive", checkpointPaths: "training" });
  const run = await getJson(fake, `/${FIRST_RUN}`);
  assertEquals(run.last_request_time, "2026-01-07T10:19:18.123456");
  assertEquals(run.last_checkpoint.checkpoint_path, `hpcai://${FIRST_RUN}/training/final`);
  assertStringIncludes(run.last_sampler_checkpoint.checkpoint_path, "/sampler/");
});

Deno.test("checkpointPaths: tinker writes tinker_path with the tinker scheme", async () => {
  const fake = new FakeHpcai({ checkpointPaths: "tinker" });
  fake.addCheckpoint(FIRST_RUN, { checkpointId: "e", checkpointType: "external" });
  const { checkpoints } = await getJson(fake, `/${FIRST_RUN}/checkpoints`);
  assertEquals(
    checkpoints.map((c: { tinker_path: string }) => c.tinker_path),
    fake.checkpoints(FIRST_RUN).map(({ checkpointPath }) => checkpointPath),
  );
  assertEquals(checkpoints.at(-1).tinker_path, `tinker://${FIRST_RUN}/external_weights/e`);
  assert(checkpoints.every((c: object) => !("checkpoint_path" in c)));
});

Deno.test("FakeHpcai lists checkpoints without pages unless maxCheckpointPageSize is set", async () => {
  assertEquals(Object.keys(await getJson(new FakeHpcai(), `/${FIRST_RUN}/checkpoints`)), [
    "checkpoints",
  ]);
});

Deno.test("maxCheckpointPageSize caps a page of checkpoints and the limit of its cursor", async () => {
  const fake = new FakeHpcai({ maxCheckpointPageSize: 3, totalCountPastEnd: "zero" });
  const all = fake.checkpoints(FIRST_RUN).map(({ checkpointId }) => checkpointId);
  for (
    const [query, from, limit, total] of [
      ["", 0, 3, 4],
      ["?limit=2&offset=1", 1, 2, 4],
      ["?limit=100&offset=3", 3, 3, 4],
      ["?offset=4", 4, 3, 0],
    ] as const
  ) {
    const page = await getJson(fake, `/${FIRST_RUN}/checkpoints${query}`);
    assertEquals(
      page.checkpoints.map((c: { checkpoint_id: string }) => c.checkpoint_id),
      all.slice(from, from + limit),
    );
    assertEquals(page.cursor, { offset: from, limit, total_count: total });
  }
  const response = await get(fake, `/${FIRST_RUN}/checkpoints?limit=0`);
  assertEquals(response.status, 422);
  await response.body?.cancel();
});

Deno.test("fields adds and replaces fields of the JSON of a run or a checkpoint", async () => {
  const fake = new FakeHpcai({ trainingRuns: 0 });
  const run = fake.addTrainingRun({
    modelOwner: null,
    fields: { last_request_time: null, user_metadata: { seed: 7 }, novel: [1] },
  });
  fake.addCheckpoint(run, {
    checkpointId: "c",
    checkpointType: "external",
    fields: { time: null, expires_at: "2026-02-01T00:00:00Z", public: true },
  });
  const { training_runs: [json] } = await getJson(fake);
  assertEquals(
    [json.model_owner, json.last_request_time, json.user_metadata, json.novel],
    [null, null, { seed: 7 }, [1]],
  );
  const { checkpoints: [checkpoint] } = await getJson(fake, `/${run}/checkpoints`);
  assertEquals(checkpoint, {
    checkpoint_id: "c",
    checkpoint_type: "external",
    time: null,
    checkpoint_path: `hpcai://${run}/external_weights/c`,
    size_bytes: 2 ** 20,
    public: true,
    expires_at: "2026-02-01T00:00:00Z",
  });
});

Deno.test("last_checkpoint and last_sampler_checkpoint skip other types", async () => {
  const fake = new FakeHpcai({ trainingRuns: 1 });
  fake.addCheckpoint(FIRST_RUN, { checkpointId: "e", checkpointType: "external" });
  const run = await getJson(fake, `/${FIRST_RUN}`);
  assertEquals(run.last_checkpoint.checkpoint_id, "final");
  assertEquals(run.last_sampler_checkpoint.checkpoint_id, "step_0010-sampler");
});

Deno.test("fetch serves the API below any base URL", async () => {
  const fake = new FakeHpcai();
  for (const base of ["http://127.0.0.1:8000", "https://example.com/a/b"]) {
    const response = await fake.fetch(`${base}/api/v1/training_runs/${FIRST_RUN}`, {
      headers: { "X-API-Key": fake.apiKey },
    });
    assertEquals((await response.json()).training_run_id, FIRST_RUN);
  }
});

Deno.test("FakeHpcai responds to a wrong key with a 401 that repeats no key", async () => {
  const fake = new FakeHpcai();
  for (const headers of [{}, { "X-API-Key": "secret-of-another" }]) {
    const response = await fake.fetch(BASE, { headers });
    assertEquals(response.status, 401);
    const text = await response.text();
    assertEquals(Object.keys(JSON.parse(text)), ["error", "message"]);
    assert(!text.includes("secret-of-another") && !text.includes(fake.apiKey));
  }
});

Deno.test("FakeHpcai responds to an unknown path or id with a 404", async () => {
  const paths = [
    "/missing",
    `/${FIRST_RUN}/checkpoints/none/archive`,
    `/${FIRST_RUN}/weights`,
    "/%E0",
  ];
  for (const path of paths) {
    const response = await get(new FakeHpcai(), path);
    assertEquals(response.status, 404);
    assertEquals((await response.json()).error, "not_found");
  }
});

Deno.test("FakeHpcai responds to an unsupported method with a 405 and Allow", async () => {
  const response = await get(new FakeHpcai(), `/${FIRST_RUN}`, { method: "POST" });
  assertEquals([response.status, response.headers.get("Allow")], [405, "GET"]);
  await response.body?.cancel();
});

Deno.test("errorShape determines the body of errors", async () => {
  const body = async (errorShape: FakeHpcaiOptions["errorShape"]) => {
    const response = await get(new FakeHpcai({ errorShape: errorShape ?? "hpcai" }), "/missing");
    return response.text();
  };
  assertEquals(JSON.parse(await body("hpcai")), {
    error: "not_found",
    message: "Training run missing not found",
  });
  assertEquals(JSON.parse(await body("fastapi")), { detail: "Training run missing not found" });
  assertEquals(JSON.parse(await body("fastapi-validation")).detail[0].type, "not_found");
  assertMatch(await body("html"), /^<html>/);
  assertEquals(await body("empty"), "");
});

Deno.test("DELETE removes a checkpoint from its run and from listings", async () => {
  const fake = new FakeHpcai();
  const path = `/${FIRST_RUN}/checkpoints/final`;
  const deleted = await get(fake, path, { method: "DELETE" });
  assertEquals([deleted.status, await deleted.text()], [204, ""]);
  const run = await getJson(fake, `/${FIRST_RUN}`);
  assertEquals(run.last_checkpoint.checkpoint_id, "step_0020");
  const again = await get(fake, path, { method: "DELETE" });
  assertEquals(again.status, 404);
  assertStringIncludes((await again.json()).message, "Checkpoint final not found");
});

Deno.test("FakeHpcai accepts ids with slashes, colons, spaces and archive at the end", async () => {
  const fake = new FakeHpcai({ trainingRuns: 0 });
  const run = fake.addTrainingRun({ trainingRunId: "run:train:0" });
  for (const checkpointId of ["a/b", "a b/ü", "x/archive", "archive"]) {
    fake.addCheckpoint(run, { checkpointId });
    const segments = checkpointId.split("/").map(encodeURIComponent).join("/");
    const path = `/${encodeURIComponent(run)}/checkpoints/${segments}`;
    const archive = await get(fake, `${path}/archive`);
    assertEquals(await archive.bytes(), fake.archive(run, checkpointId).slice());
    const deleted = await get(fake, path, { method: "DELETE" });
    assertEquals(deleted.status, 204);
  }
});

Deno.test("addTrainingRun, touchTrainingRun and removeTrainingRun change the listing", async () => {
  const fake = new FakeHpcai({ trainingRuns: 3 });
  const [first = "", second = "", third = ""] = fake.trainingRunIds;
  const added = fake.addTrainingRun({ baseModel: "Qwen/Qwen3-32B", loraRank: null });
  fake.touchTrainingRun(third);
  fake.removeTrainingRun(first);
  const page = await getJson(fake);
  assertEquals(ids(page), [third, added, second]);
  const times = page.training_runs.map((run: { last_request_time: string }) =>
    run.last_request_time
  );
  assertEquals(times, times.toSorted().toReversed());
});

Deno.test("addCheckpoint adds the latest checkpoint of its type", async () => {
  const fake = new FakeHpcai();
  const added = fake.addCheckpoint(FIRST_RUN, { checkpointId: "late", archiveBytes: 20_000 });
  assertEquals(added, {
    checkpointId: "late",
    checkpointType: "training",
    checkpointPath: `hpcai://${FIRST_RUN}/weights/late`,
  });
  const run = await getJson(fake, `/${FIRST_RUN}`);
  assertEquals(run.last_checkpoint.checkpoint_id, "late");
  assertEquals(fake.archive(FIRST_RUN, "late").byteLength, 20_000);
  assertEquals(fake.checkpoints(FIRST_RUN).at(-1), added);
});

Deno.test("requests records every request with its headers", async () => {
  const fake = new FakeHpcai();
  await (await get(fake, "?limit=1")).body?.cancel();
  await (await fake.fetch("https://example.com/nowhere")).body?.cancel();
  assertEquals(fake.requests.map(({ method, url, operation }) => [method, url, operation]), [
    ["GET", `${BASE}?limit=1`, "listTrainingRuns"],
    ["GET", "https://example.com/nowhere", undefined],
  ]);
  assertEquals(fake.requests[0]?.headers.get("X-API-Key"), fake.apiKey);
});

Deno.test("FakeHpcai throws for invalid options and arguments", () => {
  const invalid: [FakeHpcaiOptions, string][] = [
    [{ trainingRuns: -1 }, "trainingRuns"],
    [{ seed: 0.5 }, "seed"],
    [{ archiveBytes: 16_383 }, "archiveBytes must be an integer of at least 16384"],
    [{ latencyMs: NaN }, "latencyMs"],
    [{ bytesPerSecond: 0 }, "bytesPerSecond"],
    [{ maxPageSize: 0 }, "maxPageSize"],
    [{ maxCheckpointPageSize: 0 }, "maxCheckpointPageSize"],
    [{ signedUrlTtlMs: -1 }, "signedUrlTtlMs"],
  ];
  for (const [options, message] of invalid) {
    assertThrows(() => new FakeHpcai(options), RangeError, message);
  }
  assertThrows(() => new FakeHpcai({ storageOrigin: "nowhere" }), TypeError);
  const fake = new FakeHpcai();
  assertThrows(() => fake.archive("missing", "final"), RangeError, "No training run missing");
  assertThrows(() => fake.archive(FIRST_RUN, "none"), RangeError, "No checkpoint none");
  assertThrows(() => fake.addTrainingRun({ trainingRunId: FIRST_RUN }), RangeError, "exists");
  assertThrows(() => fake.addTrainingRun({ loraRank: 0 }), RangeError, "loraRank");
  assertThrows(() => fake.addTrainingRun({ trainingRunId: "" }), RangeError, "empty");
  assertThrows(
    () => fake.addCheckpoint(FIRST_RUN, { checkpointId: "final" }),
    RangeError,
    "exists",
  );
  assertThrows(() => fake.addCheckpoint(FIRST_RUN, { checkpointId: "" }), RangeError, "empty");
  const typeless = { checkpointId: "c", checkpointType: "" };
  assertThrows(() => fake.addCheckpoint(FIRST_RUN, typeless), RangeError, "empty");
});
