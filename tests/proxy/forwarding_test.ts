/** Tests of the requests and responses that apiProxy forwards. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  API_KEY,
  ARCHIVE,
  BASE_URL,
  createFakeProxy,
  createProxy,
  redirect,
  RUN_ID,
} from "./proxy_fixture.ts";

Deno.test("apiProxy adds the key and forwards Accept, Range and If-Range only", async () => {
  const { requests, request } = createProxy(() => Response.json({}));
  await request("/api/v1/training_runs", {
    headers: {
      "Accept": "application/json",
      "Accept-Encoding": "br",
      "Authorization": "Bearer page",
      "Cookie": "session=1",
      "If-None-Match": '"a"',
      "If-Range": '"b"',
      "Range": "bytes=1-",
      "X-API-Key": "of-the-page",
      "X-Forwarded-For": "10.0.0.1",
    },
  });
  assertEquals(requests.map(({ url }) => url), [`${BASE_URL}/api/v1/training_runs`]);
  assertEquals(Object.fromEntries(requests[0]?.headers ?? []), {
    "accept": "application/json",
    "accept-encoding": "identity",
    "if-range": '"b"',
    "range": "bytes=1-",
    "x-api-key": API_KEY,
  });
});

Deno.test("apiProxy forwards limit and offset of listings, and no other parameter", async () => {
  const { requests, request } = createProxy(() => Response.json({}));
  await request("/api/v1/training_runs?limit=3&debug=1&offset=2&api_key=x");
  await request(`/api/v1/training_runs/${RUN_ID}?limit=3`);
  assertEquals(requests.map(({ url }) => url), [
    `${BASE_URL}/api/v1/training_runs?limit=3&offset=2`,
    `${BASE_URL}/api/v1/training_runs/${RUN_ID}`,
  ]);
});

Deno.test("apiProxy calls a function for the key at each request", async () => {
  let count = 0;
  const { requests, request } = createProxy(() => Response.json({}), {
    apiKey: () => Promise.resolve(`${API_KEY}${++count}`),
  });
  await request("/api/v1/training_runs");
  await request("/api/v1/training_runs");
  const keys = requests.map(({ headers }) => headers.get("X-API-Key"));
  assertEquals(keys, [`${API_KEY}1`, `${API_KEY}2`]);
});

Deno.test("apiProxy responds with 502 where the function for the key fails", async () => {
  const { requests, request } = createProxy(() => Response.json({}), {
    apiKey: () => Promise.reject(new Error(`cannot decrypt ${API_KEY}`)),
  });
  const response = await request("/api/v1/training_runs");
  assertEquals(response.status, 502);
  assertEquals(await response.json(), {
    error: "bad_gateway",
    message: "The API key of the proxy is not available",
  });
  assertEquals(requests, []);
});

for (const archiveResponse of ["bytes", "redirect", "json"] as const) {
  Deno.test(`apiProxy streams an archive whose route responds with ${archiveResponse}`, async () => {
    const { fake, request } = createFakeProxy({ archiveResponse });
    const archive = fake.archive(RUN_ID, "final");
    const response = await request(ARCHIVE);
    assertEquals(response.headers.get("ETag"), archive.etag);
    assertEquals(response.headers.get("Content-Length"), String(archive.byteLength));
    assertEquals(response.headers.get("Content-Type"), "application/gzip");
    assertEquals(await response.bytes(), archive.slice());
    for (const { operation, headers } of fake.requests) {
      assertEquals(headers.get("X-API-Key"), operation === "storage" ? null : fake.apiKey);
    }
  });

  Deno.test(`apiProxy forwards ranges to an archive as ${archiveResponse}`, async () => {
    const { fake, request } = createFakeProxy({ archiveResponse });
    const archive = fake.archive(RUN_ID, "final");
    const range = (range: string, etag = archive.etag) =>
      request(ARCHIVE, { headers: { "Range": range, "If-Range": etag } });
    const part = await range("bytes=1000000-");
    assertEquals(part.status, 206);
    assertEquals(part.headers.get("Content-Range"), `bytes 1000000-1048575/${archive.byteLength}`);
    assertEquals(await part.bytes(), archive.slice(1_000_000));

    const whole = await range("bytes=1000000-", '"another"');
    assertEquals(whole.status, 200);
    await whole.body?.cancel();

    const none = await range(`bytes=${archive.byteLength}-`);
    assertEquals(none.status, 416);
    assertEquals(none.headers.get("Content-Range"), `bytes */${archive.byteLength}`);
    await none.body?.cancel();
  });
}

Deno.test("apiProxy drops length, range and entity tag of an archive that fetch decoded", async () => {
  const { request } = createProxy(() =>
    new Response("decoded", {
      headers: { "Content-Encoding": "gzip", "Content-Length": "3", "ETag": '"encoded"' },
    })
  );
  const response = await request(ARCHIVE);
  assertEquals(response.headers.get("Content-Length"), null);
  assertEquals(response.headers.get("ETag"), null);
  assertEquals(await response.text(), "decoded");
});

Deno.test("apiProxy returns an error of the API with its code, its message and its Retry-After", async () => {
  const { fake, request } = createFakeProxy();
  const headers = { "Retry-After": "7", "retry-after-ms": "7000", "x-should-retry": "true" };
  fake.faults.add({ type: "status", status: 429, details: { limit: 5 }, headers });
  const response = await request("/api/v1/training_runs");
  assertEquals(response.status, 429);
  for (const [name, value] of Object.entries(headers)) {
    assertEquals(response.headers.get(name), value);
  }
  assertEquals(await response.json(), {
    error: "rate_limited",
    message: "Too many requests",
    details: { limit: 5 },
  });
});

Deno.test("apiProxy returns the request id of the server", async () => {
  const { request } = createProxy(() => Response.json({}, { headers: { "CF-Ray": "8f2-FRA" } }));
  const response = await request("/api/v1/training_runs");
  assertEquals(response.headers.get("X-Request-Id"), "8f2-FRA");
});

Deno.test("apiProxy responds with 502 where the API cannot be reached", async () => {
  const { fake, request } = createFakeProxy();
  fake.faults.add({ type: "connection-error" });
  const response = await request("/api/v1/training_runs");
  assertEquals(response.status, 502);
  const { error, message } = await response.json();
  assertEquals(error, "bad_gateway");
  assertMatch(message, /^The connection failed/);
});

Deno.test("apiProxy responds with 502 to a status that a Response cannot have", async () => {
  const { request } = createProxy(() => {
    // As `fetch` in Deno and Node returns it for the status line `HTTP/1.1 700`.
    const response = Response.json({ error: "e" });
    Object.defineProperties(response, { status: { value: 700 }, ok: { value: false } });
    return response;
  });
  const response = await request("/api/v1/training_runs");
  assertEquals(response.status, 502);
  assertMatch((await response.json()).message, /status 700/);
});

Deno.test("apiProxy responds with 502 where the storage refuses the signed URL", async () => {
  const { fake, request } = createFakeProxy({ archiveResponse: "redirect", signedUrlTtlMs: 0 });
  const response = await request(ARCHIVE);
  assertEquals(response.status, 502);
  assertEquals((await response.json()).error, "bad_gateway");
  assertEquals(fake.requests.length, 2);
});

Deno.test("apiProxy never sends the key again after a redirect to the storage", async () => {
  const { requests, request } = createProxy(({ url }) => {
    if (url.endsWith("/archive")) return redirect("https://storage.example/final?signature=secret");
    if (url.startsWith("https://storage.example/")) return redirect(`${BASE_URL}/final`);
    return new Response("archive", { headers: { "Content-Type": "application/gzip" } });
  });
  const response = await request(ARCHIVE);
  assertEquals(await response.text(), "archive");
  const keys = requests.map(({ headers }) => headers.get("X-API-Key"));
  assertEquals(keys, [API_KEY, null, null]);
});

Deno.test("apiProxy never sends the key to the URL from a JSON response", async () => {
  const { requests, request } = createProxy(({ url }) =>
    url.endsWith("/archive")
      ? Response.json({ url: "https://storage.example/final?signature=secret" })
      : redirect(`${BASE_URL}/final`)
  );
  await request(ARCHIVE);
  const keys = requests.map(({ headers }) => headers.get("X-API-Key"));
  assert(keys.length > 2);
  assertEquals(new Set(keys.slice(1)), new Set([null]));
});

for (const location of ["http://storage.example/final", "file:///etc/passwd", "data:,x"]) {
  Deno.test(`apiProxy does not follow a redirect from https: to ${new URL(location).protocol}`, async () => {
    const { requests, request } = createProxy(() => redirect(location));
    const response = await request(ARCHIVE);
    assertEquals(response.status, 502);
    assertMatch((await response.json()).message, /redirect/);
    assertEquals(requests.length, 1);
  });
}

Deno.test("apiProxy stops after five redirects", async () => {
  const { requests, request } = createProxy(() => redirect("?again"));
  assertEquals((await request(ARCHIVE)).status, 502);
  assertEquals(requests.length, 6);
});

Deno.test("apiProxy does not repeat a DELETE at another origin", async () => {
  const { requests, request } = createProxy(() => redirect("https://elsewhere.example/", 307));
  const route = `/api/v1/training_runs/${RUN_ID}/checkpoints/final`;
  assertEquals((await request(route, { method: "DELETE" })).status, 502);
  assertEquals(requests.length, 1);
});

Deno.test("apiProxy sends one DELETE for a path that ends in /archive", async () => {
  const { requests, request } = createProxy(() =>
    Response.json({ url: "https://storage.example/final" })
  );
  const response = await request(ARCHIVE, { method: "DELETE" });
  assertEquals([response.status, await response.text()], [200, ""]);
  assertEquals(requests.map(({ method, url }) => [method, url]), [
    ["DELETE", `${BASE_URL}${ARCHIVE}`],
  ]);
});

Deno.test("apiProxy deletes a checkpoint", async () => {
  const { fake, request } = createFakeProxy();
  const route = `/api/v1/training_runs/${RUN_ID}/checkpoints/final`;
  assertEquals((await request(route, { method: "DELETE" })).status, 204);
  assert(!fake.checkpoints(RUN_ID).some(({ checkpointId }) => checkpointId === "final"));
});

Deno.test("apiProxy applies the backpressure of the page to an archive", async () => {
  let sentChunks = 0;
  const { request } = createProxy(() =>
    new Response(
      new ReadableStream({
        pull(controller) {
          sentChunks++;
          controller.enqueue(new Uint8Array(65_536));
        },
      }, { highWaterMark: 0 }),
      { headers: { "Content-Type": "application/gzip" } },
    )
  );
  const response = await request(ARCHIVE);
  const reader = response.body?.getReader();
  for (let count = 0; count < 3; count++) await reader?.read();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert(sentChunks <= 4, `${sentChunks} chunks were read`);
  await reader?.cancel();
});

Deno.test("apiProxy cancels the archive of the API when the page cancels it", async () => {
  const cancelled = Promise.withResolvers<void>();
  const body = new ReadableStream({
    pull: (controller) => controller.enqueue(new Uint8Array(1)),
    cancel: () => cancelled.resolve(),
  });
  const { request } = createProxy(() =>
    new Response(body, { headers: { "Content-Type": "application/gzip" } })
  );
  await (await request(ARCHIVE)).body?.cancel();
  await cancelled.promise;
});

Deno.test("apiProxy aborts the request to the API when the request of the page aborts", async () => {
  const { requests, request } = createProxy(({ signal }) =>
    new Promise((_resolve, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    })
  );
  const controller = new AbortController();
  const response = request("/api/v1/training_runs", { signal: controller.signal });
  await new Promise((resolve) => setTimeout(resolve));
  controller.abort();
  assertEquals((await response).status, 499);
  assertEquals(requests[0]?.signal?.aborted, true);
});
