import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { FakeHpcai } from "@hpcai/rx/testing";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";
const URL_OF_FINAL =
  `https://www.hpc-ai.com/finetunesdk/api/v1/training_runs/${RUN}/checkpoints/final/archive`;

function getArchive(fake: FakeHpcai, init: RequestInit = {}): Promise<Response> {
  return fake.fetch(URL_OF_FINAL, {
    ...init,
    headers: { "X-API-Key": fake.apiKey, ...init.headers },
  });
}

/** A signed URL of `final`. */
async function signedUrl(fake: FakeHpcai): Promise<string> {
  const response = await getArchive(fake, { redirect: "manual" });
  assertEquals(response.status, 302);
  return response.headers.get("Location") ?? "";
}

Deno.test("fetch of an archive gets all bytes, with length, media type and a strong ETag", async () => {
  const fake = new FakeHpcai();
  const response = await getArchive(fake);
  assertEquals(response.status, 200);
  assertEquals(response.headers.get("Content-Length"), "1048576");
  assertEquals(response.headers.get("Content-Type"), "application/gzip");
  assertEquals(response.headers.get("Accept-Ranges"), "bytes");
  assertMatch(response.headers.get("ETag") ?? "", /^"[^"]+"$/);
  assertEquals(await response.bytes(), fake.archive(RUN, "final").slice());
});

Deno.test("fetch with HEAD gets the headers of an archive without its body", async () => {
  const response = await getArchive(new FakeHpcai(), { method: "HEAD" });
  assertEquals(response.headers.get("Content-Length"), "1048576");
  assertEquals(response.body, null);
});

Deno.test("Range gets a 206 with those bytes", async () => {
  const fake = new FakeHpcai();
  const response = await getArchive(fake, { headers: { Range: "bytes=70000-70009" } });
  assertEquals(response.status, 206);
  assertEquals(response.headers.get("Content-Range"), "bytes 70000-70009/1048576");
  assertEquals(response.headers.get("Content-Length"), "10");
  assertEquals(await response.bytes(), fake.archive(RUN, "final").slice(70_000, 70_010));
});

Deno.test("Range past the end gets a 416 with the length", async () => {
  const response = await getArchive(new FakeHpcai(), { headers: { Range: "bytes=1048576-" } });
  assertEquals([response.status, response.headers.get("Content-Range")], [416, "bytes */1048576"]);
  assertEquals(await response.text(), "");
});

Deno.test("If-Range gets the range only if the ETag matches strongly", async () => {
  const fake = new FakeHpcai();
  const { etag } = fake.archive(RUN, "final");
  const cases = [[etag, 206], [`W/${etag}`, 200], ['"other"', 200], [
    "Wed, 07 Jan 2026 10:00:00 GMT",
    200,
  ]] as const;
  for (const [ifRange, status] of cases) {
    const headers = { Range: "bytes=5-", "If-Range": ifRange };
    const response = await getArchive(fake, { headers });
    assertEquals(response.status, status);
    await response.body?.cancel();
  }
});

Deno.test("archiveResponse: redirect sends a signed URL on another origin that requires no key", async () => {
  const fake = new FakeHpcai({ archiveResponse: "redirect" });
  const url = await signedUrl(fake);
  assertEquals(new URL(url).origin, "https://storage.fake-hpcai.example");
  const response = await fake.fetch(url);
  assertEquals(await response.bytes(), fake.archive(RUN, "final").slice());
  assertEquals(fake.requests.at(-1)?.operation, "storage");
  assert(!fake.requests.at(-1)?.headers.has("X-API-Key"));
});

Deno.test("archiveResponse: redirect sends the expiry of its URL", async () => {
  const fake = new FakeHpcai({ archiveResponse: "redirect", now: () => 0, signedUrlTtlMs: 60_000 });
  const response = await getArchive(fake, { redirect: "manual" });
  assertEquals(response.headers.get("Expires"), "Thu, 01 Jan 1970 00:01:00 GMT");
  await response.body?.cancel();
});

Deno.test("archiveResponse: json sends a signed URL and its expiry", async () => {
  const fake = new FakeHpcai({ archiveResponse: "json", now: () => 0, signedUrlTtlMs: 60_000 });
  const { url, expires } = await (await getArchive(fake)).json();
  assertEquals(expires, "1970-01-01T00:01:00.000Z");
  const response = await fake.fetch(url, { headers: { Range: "bytes=-8" } });
  assertEquals(response.status, 206);
  assertEquals(await response.bytes(), fake.archive(RUN, "final").slice(1_048_568));
});

Deno.test("storageOrigin is the origin of signed URLs", async () => {
  const storageOrigin = "https://bucket.example";
  const fake = new FakeHpcai({ archiveResponse: "redirect", storageOrigin });
  assertEquals(new URL(await signedUrl(fake)).origin, storageOrigin);
});

Deno.test("signedUrlTtlMs limits how long a signed URL is valid", async () => {
  let now = 1_000;
  const options = { archiveResponse: "redirect", signedUrlTtlMs: 10, now: () => now } as const;
  const fake = new FakeHpcai(options);
  const url = await signedUrl(fake);
  now += 9;
  assertEquals((await fake.fetch(url, { method: "HEAD" })).status, 200);
  now += 1;
  const response = await fake.fetch(url);
  assertEquals(response.status, 403);
  assertMatch(await response.text(), /<Code>AccessDenied<\/Code>/);
});

Deno.test("expireSignedUrls expires the issued URLs, and later ones are valid", async () => {
  const fake = new FakeHpcai({ archiveResponse: "redirect" });
  const [old] = [await signedUrl(fake), fake.expireSignedUrls()];
  assertEquals((await fake.fetch(old, { method: "HEAD" })).status, 403);
  const fresh = await signedUrl(fake);
  assertNotEquals(fresh, old);
  assertEquals((await fake.fetch(fresh, { method: "HEAD" })).status, 200);
});

Deno.test("fetch of a signed URL with a changed path or signature gets a 403", async () => {
  const fake = new FakeHpcai({ archiveResponse: "redirect" });
  const url = await signedUrl(fake);
  for (
    const forged of [url.replace("final", "step_0010"), url.replace(/signature=./, "signature=z")]
  ) {
    assertEquals((await fake.fetch(forged, { method: "HEAD" })).status, 403);
  }
});

Deno.test("fetch of a signed URL of a deleted checkpoint gets a 404", async () => {
  const fake = new FakeHpcai({ archiveResponse: "redirect" });
  const url = await signedUrl(fake);
  fake.removeTrainingRun(RUN);
  assertEquals((await fake.fetch(url, { method: "HEAD" })).status, 404);
});
