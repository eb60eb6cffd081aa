/** The proxy before a fake of the API, both without a socket. */
import { assertEquals, assertMatch } from "@std/assert";
import { FakeHpcai, type FakeHpcaiOptions } from "@hpcai/rx/testing";
import { apiProxy } from "../../examples/api_proxy.ts";

const RUN_ID = "eb78693b-380d-40f8-a709-ffe0da185718";
const ARCHIVE_PATH = `/api/v1/training_runs/${RUN_ID}/checkpoints/final/archive`;
const BASE_URL = "https://api.example/finetunesdk";

/** What the browser's client would get. */
function setUp(options?: FakeHpcaiOptions) {
  const fake = new FakeHpcai(options);
  const proxy = apiProxy({ baseUrl: BASE_URL, apiKey: fake.apiKey, fetch: fake.fetch });
  const ask = (path: string, init?: RequestInit) =>
    proxy(new Request(`http://localhost/hpcai${path}`, init), path.replace(/\?.*/, ""));
  return { fake, ask, archive: fake.archive(RUN_ID, "final") };
}

Deno.test("the key and the query go to the API, the browser's cookies do not", async () => {
  const { fake, ask } = setUp();
  const headers = { "Cookie": "session=1", "Accept": "application/json" };
  const response = await ask("/api/v1/training_runs?limit=3&offset=2", { headers });
  assertEquals((await response.json()).training_runs.length, 3);
  assertEquals(fake.requests[0]?.url, `${BASE_URL}/api/v1/training_runs?limit=3&offset=2`);
  assertEquals(fake.requests[0]?.headers.get("X-API-Key"), fake.apiKey);
  assertEquals(fake.requests[0]?.headers.get("Cookie"), null);
});

for (const archiveResponse of ["bytes", "redirect", "json"] as const) {
  Deno.test(`an archive that the API answers with ${archiveResponse} comes through`, async () => {
    const { fake, ask, archive } = setUp({ archiveResponse });
    const response = await ask(ARCHIVE_PATH);
    assertEquals(response.headers.get("ETag"), archive.etag);
    assertEquals(response.headers.get("Content-Length"), String(archive.byteLength));
    assertEquals(await response.bytes(), archive.slice());
    for (const { operation, headers } of fake.requests) {
      assertEquals(headers.get("X-API-Key"), operation === "storage" ? null : fake.apiKey);
    }
  });

  Deno.test(`a part of it does too, as long as the archive is the same (${archiveResponse})`, async () => {
    const { ask, archive } = setUp({ archiveResponse });
    const part = await ask(ARCHIVE_PATH, {
      headers: { "Range": "bytes=1000000-", "If-Range": archive.etag },
    });
    assertEquals(part.status, 206);
    assertEquals(part.headers.get("Content-Range"), `bytes 1000000-1048575/${archive.byteLength}`);
    assertEquals(await part.bytes(), archive.slice(1_000_000));

    const whole = await ask(ARCHIVE_PATH, {
      headers: { "Range": "bytes=1000000-", "If-Range": '"another"' },
    });
    assertEquals(whole.status, 200);
    await whole.body?.cancel();
  });
}

Deno.test("an archive that fetch unpacks loses the length and the tag of the packed one", async () => {
  const packed = new Response("unpacked", {
    headers: { "Content-Encoding": "gzip", "Content-Length": "3", "ETag": '"packed"' },
  });
  const proxy = apiProxy({
    baseUrl: BASE_URL,
    apiKey: "key",
    fetch: () => Promise.resolve(packed),
  });
  const response = await proxy(new Request("http://localhost/"), ARCHIVE_PATH);
  assertEquals(response.headers.get("Content-Length"), null);
  assertEquals(response.headers.get("ETag"), null);
  assertEquals(await response.text(), "unpacked");
});

Deno.test("an error of the API comes through with what it says", async () => {
  const { fake, ask } = setUp();
  fake.faults.add({ type: "status", status: 429, headers: { "Retry-After": "7" } });
  const response = await ask("/api/v1/training_runs");
  assertEquals(response.status, 429);
  assertEquals(response.headers.get("Retry-After"), "7");
  assertEquals((await response.json()).error, "rate_limited");
});

Deno.test("an API that can't be reached is a 502 in the API's own shape", async () => {
  const { fake, ask } = setUp();
  fake.faults.add({ type: "connection-error" });
  const response = await ask("/api/v1/training_runs");
  assertEquals(response.status, 502);
  assertEquals(await response.json(), {
    error: "bad_gateway",
    message: "HPC-AI can't be reached",
  });
});

for (const location of ["http://storage.example/final", "file:///etc/passwd", "data:,x"]) {
  Deno.test(`a redirect from https: to ${new URL(location).protocol} is not followed`, async () => {
    const { fake, ask } = setUp();
    fake.faults.add({ type: "redirect", location });
    const response = await ask(ARCHIVE_PATH);
    assertEquals(response.status, 502);
    assertMatch(await response.text(), /redirected/);
    assertEquals(fake.requests.length, 1);
  });
}

Deno.test("redirects that never end are given up", async () => {
  const { fake, ask } = setUp();
  fake.faults.add({ type: "redirect", location: "?again" }, { times: Infinity });
  assertEquals((await ask(ARCHIVE_PATH)).status, 502);
  assertEquals(fake.requests.length, 6);
});

Deno.test("a deletion that is redirected is not repeated elsewhere", async () => {
  const { fake, ask } = setUp();
  fake.faults.add({ type: "redirect", location: "https://elsewhere.example/" });
  const path = `/api/v1/training_runs/${RUN_ID}/checkpoints/final`;
  assertEquals((await ask(path, { method: "DELETE" })).status, 502);
  assertEquals(fake.requests.length, 1);
});

for (
  const [method, path] of [
    ["GET", "/api/v1/other"],
    ["GET", "/api/v1/training_runs/a/b"],
    ["POST", "/api/v1/training_runs"],
    ["DELETE", "/api/v1/training_runs/a"],
  ] as const
) {
  Deno.test(`${method} ${path} is no route`, async () => {
    const { fake, ask } = setUp();
    assertEquals((await ask(path, { method })).status, 404);
    assertEquals(fake.requests.length, 0);
  });
}
