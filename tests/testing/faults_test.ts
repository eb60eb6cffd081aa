import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import {
  type ConnectionErrorFault,
  FakeHpcai,
  type Fault,
  type RedirectFault,
  type StatusFault,
} from "@hpcai/rx/testing";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";
const RUNS = "https://www.hpc-ai.com/finetunesdk/api/v1/training_runs";
const ARCHIVE = `${RUNS}/${RUN}/checkpoints/final/archive`;

function get(fake: FakeHpcai, url: string, init: RequestInit = {}): Promise<Response> {
  return fake.fetch(url, { ...init, headers: { "X-API-Key": fake.apiKey } });
}

async function status(fake: FakeHpcai, url: string): Promise<number> {
  const response = await get(fake, url);
  await response.body?.cancel();
  return response.status;
}

/** A fake whose next response has the fault. */
function fakeWithFault(fault: Fault): FakeHpcai {
  const fake = new FakeHpcai();
  fake.faults.add(fault);
  return fake;
}

/** Reads a body; returns how many bytes arrive, and the error that ends it. */
async function drain(response: Response): Promise<{ bytes: number; error: unknown }> {
  let bytes = 0;
  try {
    for await (const chunk of response.body ?? []) bytes += chunk.length;
  } catch (error) {
    return { bytes, error };
  }
  return { bytes, error: undefined };
}

Deno.test("add queues faults, each for one request", async () => {
  const fake = new FakeHpcai();
  fake.faults.add({ type: "status", status: 503 }, { times: 2 });
  fake.faults.add({ type: "status", status: 429 });
  assertEquals(fake.faults.pending, 3);
  const statuses = [];
  for (let i = 0; i < 4; i++) statuses.push(await status(fake, RUNS));
  assertEquals(statuses, [503, 503, 429, 200]);
  assertEquals(fake.faults.pending, 0);
});

Deno.test("on: operation applies a fault to requests of that operation only", async () => {
  const fake = new FakeHpcai();
  fake.faults.add({ type: "status", status: 500 }, { on: "archive" });
  assertEquals(await status(fake, RUNS), 200);
  assertEquals(await status(fake, ARCHIVE), 500);
});

Deno.test("on: predicate applies a fault to the requests that match", async () => {
  const fake = new FakeHpcai();
  const on = ({ url }: { url: string }) => new URL(url).searchParams.get("offset") === "20";
  fake.faults.add({ type: "status", status: 500 }, { on, times: Infinity });
  assertEquals(await status(fake, `${RUNS}?offset=0`), 200);
  assertEquals(await status(fake, `${RUNS}?offset=20`), 500);
  assertEquals(fake.faults.pending, Infinity);
});

Deno.test("clear removes pending faults", async () => {
  const fake = fakeWithFault({ type: "status", status: 500 });
  fake.faults.clear();
  assertEquals(await status(fake, RUNS), 200);
});

Deno.test("a status fault sends its headers and a body in its shape", async () => {
  const headers = { "Retry-After": "7" };
  const fault = { type: "status", status: 429, headers, details: { quota: 3 } } as const;
  const response = await get(fakeWithFault(fault), RUNS);
  assertEquals([response.status, response.headers.get("Retry-After")], [429, "7"]);
  assertEquals(await response.json(), {
    error: "rate_limited",
    message: "Too many requests",
    details: { quota: 3 },
  });
  const detail = await get(
    fakeWithFault({ ...fault, shape: "fastapi", message: "slow down" }),
    RUNS,
  );
  assertEquals(await detail.json(), { detail: "slow down" });
  const html = await get(fakeWithFault({ type: "status", status: 502, shape: "html" }), RUNS);
  assertMatch(html.headers.get("Content-Type") ?? "", /^text\/html/);
  assertMatch(await html.text(), /Bad gateway/);
  const empty = await get(fakeWithFault({ type: "status", status: 504, shape: "empty" }), RUNS);
  assertEquals(await empty.text(), "");
});

Deno.test("a status fault sends its own body instead of a shape", async () => {
  const fake = fakeWithFault({ type: "status", status: 200, body: "<html>log in</html>" });
  const response = await get(fake, RUNS);
  assertEquals([response.status, await response.text()], [200, "<html>log in</html>"]);
});

Deno.test("a status fault with a null body status sends no body", async () => {
  const response = await get(fakeWithFault({ type: "status", status: 204 }), RUNS);
  assertEquals(response.body, null);
});

Deno.test("a connection-error fault rejects with a TypeError", async () => {
  const fake = fakeWithFault({ type: "connection-error" });
  await assertRejects(() => get(fake, RUNS), TypeError, "was lost");
});

Deno.test("afterEffect determines whether an operation takes effect before its response is lost", async () => {
  const faults: (StatusFault | ConnectionErrorFault | RedirectFault)[] = [
    { type: "status", status: 500 },
    { type: "connection-error" },
    { type: "redirect", location: "/elsewhere" },
  ];
  for (const fault of faults) {
    for (const afterEffect of [false, true]) {
      const fake = fakeWithFault({ ...fault, afterEffect });
      const url = ARCHIVE.replace("/archive", "");
      await get(fake, url, { method: "DELETE", redirect: "manual" })
        .then((response) => response.body?.cancel(), () => {});
      const isListed = fake.checkpoints(RUN).some(({ checkpointId }) => checkpointId === "final");
      assertEquals(isListed, !afterEffect);
    }
  }
});

Deno.test("a cut fault sends its bytes and then errors the body", async () => {
  const response = await get(fakeWithFault({ type: "cut", afterBytes: 300_001 }), ARCHIVE);
  assertEquals(response.headers.get("Content-Length"), "1048576");
  const { bytes, error } = await drain(response);
  assertEquals(bytes, 300_001);
  assert(error instanceof TypeError);
});

Deno.test("a stall fault sends no more data until the request is aborted", async () => {
  const controller = new AbortController();
  const fake = fakeWithFault({ type: "stall", afterBytes: 10 });
  const response = await get(fake, ARCHIVE, { signal: controller.signal });
  const reader = response.body?.getReader();
  assertEquals((await reader?.read())?.value?.length, 10);
  const next = reader?.read();
  controller.abort();
  await assertRejects(async () => await next, DOMException, "abort");
});

Deno.test("a truncate fault ends the body as if it were complete", async () => {
  const response = await get(fakeWithFault({ type: "truncate", afterBytes: 1_000 }), ARCHIVE);
  assertEquals(response.headers.get("Content-Length"), "1048576");
  assertEquals(await drain(response), { bytes: 1_000, error: undefined });
});

Deno.test("announceLength: false omits Content-Length", async () => {
  const fault = { type: "truncate", afterBytes: 1_000, announceLength: false } as const;
  const response = await get(fakeWithFault(fault), ARCHIVE);
  assertEquals(response.headers.get("Content-Length"), null);
  assertEquals((await response.bytes()).length, 1_000);
});

Deno.test("a wrong-length fault sends its Content-Length with the complete body", async () => {
  const response = await get(fakeWithFault({ type: "wrong-length", length: 5 }), ARCHIVE);
  assertEquals(response.headers.get("Content-Length"), "5");
  assertEquals((await response.bytes()).length, 1_048_576);
});

Deno.test("a malformed-json fault sends the first half of the JSON", async () => {
  const response = await get(fakeWithFault({ type: "malformed-json" }), RUNS);
  assertEquals(response.status, 200);
  const text = await response.text();
  assertMatch(text, /^\{"training_runs"/);
  assertThrows(() => JSON.parse(text), SyntaxError);
});

Deno.test("a redirect fault sends its status and location", async () => {
  const fake = fakeWithFault({ type: "redirect", status: 307, location: "https://evil.example/x" });
  const response = await get(fake, RUNS, { redirect: "manual" });
  assertEquals([response.status, response.headers.get("Location")], [
    307,
    "https://evil.example/x",
  ]);
  await response.body?.cancel();
});

Deno.test("an encoded fault makes fetch decompress the archive, with the compressed length", async () => {
  const response = await get(fakeWithFault({ type: "encoded" }), ARCHIVE);
  assertEquals(response.headers.get("Content-Encoding"), "gzip");
  assertEquals(response.headers.get("Content-Length"), "1048576");
  const bytes = await response.bytes();
  assertEquals(new TextDecoder().decode(bytes.slice(0, 9)), "README.md");
  assertEquals(bytes.length % 512, 0);
});

Deno.test("a body fault does not change a response without a body", async () => {
  const fake = fakeWithFault({ type: "cut", afterBytes: 1 });
  const response = await get(fake, ARCHIVE.replace("/archive", ""), { method: "DELETE" });
  assertEquals(response.status, 204);
});

Deno.test("a delay fault combines with the next fault", async () => {
  const fake = new FakeHpcai();
  fake.faults.add({ type: "delay", ms: 1 });
  fake.faults.add({ type: "status", status: 503 });
  assertEquals(await status(fake, RUNS), 503);
  assertEquals(fake.faults.pending, 0);
});

Deno.test("a delay of Infinity ends when the request is aborted", async () => {
  const controller = new AbortController();
  const response = get(fakeWithFault({ type: "delay", ms: Infinity }), RUNS, {
    signal: controller.signal,
  });
  controller.abort(new RangeError("enough"));
  await assertRejects(() => response, RangeError, "enough");
});

Deno.test("add throws a RangeError for a number out of range", () => {
  const { faults } = new FakeHpcai();
  const invalid: [Fault, string][] = [
    [{ type: "status", status: 99 }, "status"],
    [{ type: "delay", ms: -1 }, "ms"],
    [{ type: "cut", afterBytes: -1 }, "afterBytes"],
    [{ type: "wrong-length", length: 0.5 }, "length"],
  ];
  for (const [fault, message] of invalid) {
    assertThrows(() => faults.add(fault), RangeError, message);
  }
  assertThrows(() => faults.add({ type: "encoded" }, { times: 0 }), RangeError, "times");
});
