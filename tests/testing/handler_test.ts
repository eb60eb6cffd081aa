import { assert, assertEquals, assertRejects } from "@std/assert";
import { FakeHpcai } from "@hpcai/rx/testing";
import { serve } from "../integration/loopback_server.ts";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";

/** Serves a fake; exposes the URL of the archive of `final` and the key. */
function serveArchive(fake: FakeHpcai) {
  const server = serve(fake.handler);
  return {
    url: `${server.url}/api/v1/training_runs/${RUN}/checkpoints/final/archive`,
    init: { headers: { "X-API-Key": fake.apiKey } },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

Deno.test("handler sends the bytes of an archive", async () => {
  const fake = new FakeHpcai();
  await using server = serveArchive(fake);
  const { url, init } = server;
  const response = await fetch(url, init);
  assertEquals(response.headers.get("Content-Length"), "1048576");
  assertEquals(await response.bytes(), fake.archive(RUN, "final").slice());
});

Deno.test("handler sends the length for HEAD and the bytes of a range", async () => {
  const fake = new FakeHpcai();
  await using server = serveArchive(fake);
  const { url, init: { headers } } = server;
  const head = await fetch(url, { method: "HEAD", headers });
  assertEquals(head.headers.get("Content-Length"), "1048576");
  const part = await fetch(url, { headers: { ...headers, Range: "bytes=-9" } });
  assertEquals(part.status, 206);
  assertEquals(await part.bytes(), fake.archive(RUN, "final").slice(1_048_567));
});

Deno.test("handler serves the API and the storage on two origins of one server", async () => {
  const fake = new FakeHpcai({ archiveResponse: "redirect" });
  await using server = serveArchive(fake);
  const { url, init } = server;
  const redirect = await fetch(url, { ...init, redirect: "manual" });
  const { hostname, port } = new URL(redirect.headers.get("Location") ?? "");
  assertEquals([hostname, port], ["localhost", new URL(url).port]);
  await redirect.body?.cancel();
  const reverse = await fetch(url.replace("127.0.0.1", "localhost"), {
    ...init,
    redirect: "manual",
  });
  assertEquals(new URL(reverse.headers.get("Location") ?? "").hostname, "127.0.0.1");
  await reverse.body?.cancel();
  const followed = await fetch(url, init);
  assertEquals(await followed.bytes(), fake.archive(RUN, "final").slice());
});

Deno.test("a cut fault interrupts the body that handler sends", async () => {
  const fake = new FakeHpcai();
  fake.faults.add({ type: "cut", afterBytes: 500_000 });
  await using server = serveArchive(fake);
  const { url, init } = server;
  const response = await fetch(url, init);
  await assertRejects(() => response.bytes(), TypeError);
});

Deno.test("a connection-error fault makes the response of handler unreadable", async () => {
  const fake = new FakeHpcai();
  fake.faults.add({ type: "connection-error" });
  await using server = serveArchive(fake);
  const { url, init } = server;
  await assertRejects(async () => (await fetch(url, init)).bytes(), TypeError);
});

Deno.test("an encoded fault of handler makes fetch decompress the archive", async () => {
  const fake = new FakeHpcai();
  fake.faults.add({ type: "encoded" });
  await using server = serveArchive(fake);
  const { url, init } = server;
  const bytes = await (await fetch(url, init)).bytes();
  assertEquals(new TextDecoder().decode(bytes.slice(0, 9)), "README.md");
});

Deno.test("handler stops a body when the client disconnects", async () => {
  const fake = new FakeHpcai({ archiveBytes: 2 * 1024 ** 3 });
  fake.faults.add({ type: "stall", afterBytes: 10 });
  await using server = serveArchive(fake);
  const { url, init } = server;
  for (let i = 0; i < 2; i++) { // First a stalled body, then one of 2 GiB.
    const controller = new AbortController();
    const response = await fetch(url, { ...init, signal: controller.signal });
    const reader = response.body?.getReader();
    assert((await reader?.read())?.value !== undefined);
    controller.abort();
    await assertRejects(async () => await reader?.read(), DOMException);
  }
});

Deno.test("handler leaves no timer behind when the client aborts", async () => {
  const fake = new FakeHpcai({ latencyMs: 60_000 });
  await using server = serveArchive(fake);
  const { url, init } = server;
  const controller = new AbortController();
  const arrived = Promise.withResolvers<void>();
  fake.faults.add({ type: "delay", ms: 0 }, { on: () => (arrived.resolve(), true) });
  const response = fetch(url, { ...init, signal: controller.signal });
  await arrived.promise;
  controller.abort();
  await assertRejects(() => response, DOMException);
});

Deno.test("handler with bytesPerSecond leaves no timer behind when the client disconnects", async () => {
  const fake = new FakeHpcai({ archiveBytes: 100_000, bytesPerSecond: 1_000 });
  await using server = serveArchive(fake);
  const { url, init } = server;
  const controller = new AbortController();
  const response = await fetch(url, { ...init, signal: controller.signal });
  const reader = response.body?.getReader();
  assertEquals((await reader?.read())?.value?.length, 100);
  controller.abort();
  await assertRejects(async () => await reader?.read(), DOMException);
});
