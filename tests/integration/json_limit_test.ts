import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import {
  ApiTimeoutError,
  InternalServerError,
  LimitExceededError,
  RestClient,
  type RestClientOptions,
} from "@hpcai/rx";
import { firstValueFrom } from "rxjs";
import { ChunkedResponse, serve } from "./loopback_server.ts";
import { responseText, serveRaw } from "./raw_responses.ts";

const MIB = 2 ** 20;
const JSON_TYPE = { "Content-Type": "application/json" };

/** The error of a listing. */
async function failureOf(baseUrl: string, options: RestClientOptions = {}): Promise<unknown> {
  const client = new RestClient({ apiKey: "key-7d1f", baseUrl, ...options });
  return await assertRejects(() => firstValueFrom(client.listCheckpoints$("run")));
}

/** An empty listing, padded with white space to a length. */
const listing = (bytes: number) => '{"checkpoints":[]}'.padEnd(bytes);

Deno.test("maxJsonBytes cancels a JSON response that never ends, which is not retried", async () => {
  const blanks = new TextEncoder().encode(" ".repeat(65_536));
  const endless = new ChunkedResponse(() => Promise.resolve(blanks), JSON_TYPE);
  await using server = serve(() => endless.response);
  const error = await failureOf(server.url, { maxJsonBytes: MIB });
  assertInstanceOf(error, LimitExceededError);
  assertEquals([error.option, error.limit], ["maxJsonBytes", MIB]);
  assertEquals(
    error.message,
    `The response to GET ${server.url}/api/v1/training_runs/run/checkpoints exceeds maxJsonBytes ` +
      "(1048576). Increase maxJsonBytes if that size is expected.",
  );
  await endless.whenCanceled;
  assertEquals(server.requests.length, 1);
});

Deno.test("maxJsonBytes counts the decompressed bytes of a gzipped response", async () => {
  // 32 MiB of blanks are 32 KiB on the wire.
  const bomb = new Blob([listing(32 * MIB)]).stream().pipeThrough(new CompressionStream("gzip"));
  const compressed = await new Response(bomb).bytes();
  assert(compressed.length < 100_000);
  const headers = { ...JSON_TYPE, "Content-Encoding": "gzip" };
  await using server = serve(() => new Response(compressed, { headers }));
  assertInstanceOf(await failureOf(server.url, { maxJsonBytes: MIB }), LimitExceededError);
});

Deno.test("maxJsonBytes allows a JSON response of exactly that size, and rejects one that is a byte larger", async () => {
  await using server = serve(({ url }) =>
    new Response(listing(url.includes("large") ? 1001 : 1000), { headers: JSON_TYPE })
  );
  const options = { apiKey: "key-7d1f", baseUrl: server.url, maxJsonBytes: 1000 };
  const client = new RestClient(options);
  assertEquals(await firstValueFrom(client.listCheckpoints$("run")), { checkpoints: [] });
  await assertRejects(() => firstValueFrom(client.listCheckpoints$("large")), LimitExceededError);
});

Deno.test("maxJsonBytes defaults to 64 MiB", async () => {
  const blanks = new TextEncoder().encode(" ".repeat(4 * MIB));
  let sent = 0;
  const endless = new ChunkedResponse(() => {
    sent += blanks.length;
    return Promise.resolve(blanks);
  }, JSON_TYPE);
  await using server = serve(({ url }) =>
    url.includes("endless")
      ? endless.response
      : new Response(listing(64 * MIB), { headers: JSON_TYPE })
  );
  const client = new RestClient({ apiKey: "key-7d1f", baseUrl: server.url });
  assertEquals(await firstValueFrom(client.listCheckpoints$("run")), { checkpoints: [] });
  const error = await assertRejects(() => firstValueFrom(client.listCheckpoints$("endless")));
  assertInstanceOf(error, LimitExceededError);
  assertEquals(error.limit, 64 * MIB);
  assert(sent < 128 * MIB, `${sent} bytes`);
});

Deno.test("maxJsonBytes limits the JSON response with a signed URL", async () => {
  await using server = serve(() =>
    new Response(`{"url": "https://s.example/${"a".repeat(5000)}"}`, { headers: JSON_TYPE })
  );
  const client = new RestClient({ apiKey: "key-7d1f", baseUrl: server.url, maxJsonBytes: 1000 });
  await assertRejects(
    () => firstValueFrom(client.download$("hpcai://r/weights/c")),
    LimitExceededError,
  );
});

Deno.test("ApiStatusError reads only the beginning of an endless body", async () => {
  const text = new TextEncoder().encode("overloaded ".repeat(6000));
  const endless = new ChunkedResponse(() => Promise.resolve(text), JSON_TYPE);
  await using server = serve(() => new Response(endless.response.body, { status: 500 }));
  assertInstanceOf(await failureOf(server.url, { retry: false }), InternalServerError);
  await endless.whenCanceled;
});

for (const [what, head] of [["error", "500 Oops"], ["redirect", "302 Found"]] as const) {
  Deno.test(`timeoutMs ends the body of a response (${what}) that arrives byte by byte`, async () => {
    const end = Promise.withResolvers<void>();
    await using server = await serveRaw(async (connection) => {
      const headers = ["Content-Length: 1000", "Location: http://127.0.0.1:1/"];
      await connection.write(responseText(headers, "", head));
      const drip = setInterval(() => connection.write("x").catch(() => {}), 20);
      await Promise.race([connection.closed, end.promise]);
      clearInterval(drip);
    });
    const startedAt = performance.now();
    const error = await failureOf(server.url, { retry: false, timeoutMs: 300 });
    const tookMs = performance.now() - startedAt;
    end.resolve();
    if (what === "error") assertInstanceOf(error, ApiTimeoutError);
    assert(tookMs < 2000, `${tookMs} ms`);
  });
}
