/** Tests that apiProxy sends a page no scripts of other servers, no key and no signed URL. */
import { ApiResponseValidationError } from "@hpcai/rx";
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { API_KEY, ARCHIVE, createFakeProxy, createProxy, redirect } from "./proxy_fixture.ts";

const SCRIPT = "<!DOCTYPE html><script>alert(1)</script>";

function responseOfType(type: string, body = "archive"): Response {
  return new Response(body, { headers: type === "" ? {} : { "Content-Type": type } });
}

Deno.test("apiProxy forbids type sniffing, caching and cross-origin embedding of every response", async () => {
  const { request } = createFakeProxy();
  for (const route of ["/api/v1/training_runs", ARCHIVE, "/api/v1/training_runs/none", "/other"]) {
    const { headers, body } = await request(route);
    assertEquals(headers.get("X-Content-Type-Options"), "nosniff");
    assertEquals(headers.get("Cache-Control"), "no-store");
    assertEquals(headers.get("Cross-Origin-Resource-Policy"), "same-origin");
    await body?.cancel();
  }
});

Deno.test("apiProxy returns no other header of the server", async () => {
  const { request } = createProxy(() =>
    Response.json({}, {
      headers: {
        "Access-Control-Allow-Origin": "*",
        "Clear-Site-Data": '"*"',
        "Link": "<https://elsewhere.example/style.css>; rel=stylesheet",
        "Location": "https://storage.example/?signature=secret",
        "Refresh": "0; url=https://elsewhere.example",
        "Service-Worker-Allowed": "/",
        "Set-Cookie": "session=1",
      },
    })
  );
  const names = [...(await request("/api/v1/training_runs")).headers.keys()];
  assertEquals(names, [
    "cache-control",
    "content-type",
    "cross-origin-resource-policy",
    "x-content-type-options",
  ]);
});

for (
  const [type, expected] of [
    ["application/gzip", "application/gzip"],
    ["application/x-gzip", "application/x-gzip"],
    ["application/x-tar", "application/x-tar"],
    ["application/octet-stream", "application/octet-stream"],
    ["binary/octet-stream", "application/octet-stream"],
    ["text/javascript", "application/octet-stream"],
    ["image/svg+xml", "application/octet-stream"],
    ["application/gzip; charset=utf-8", "application/gzip"],
    ["", "application/octet-stream"],
  ] as const
) {
  Deno.test(`apiProxy returns an archive of type ${type || "none"} as ${expected}`, async () => {
    const { request } = createProxy(() => responseOfType(type));
    const response = await request(ARCHIVE);
    assertEquals(response.headers.get("Content-Type"), expected);
    await response.body?.cancel();
  });
}

for (const type of ["text/html", "TEXT/HTML; charset=utf-8", "application/xhtml+xml"]) {
  Deno.test(`apiProxy responds with 502 to an archive of type ${type}`, async () => {
    const { request } = createProxy(() => responseOfType(type, SCRIPT));
    const response = await request(ARCHIVE);
    assertEquals(response.status, 502);
    assertEquals((await response.json()).error, "bad_gateway");
  });
}

Deno.test("apiProxy responds with 502 where a listing is not JSON", async () => {
  const { request } = createProxy(() => responseOfType("text/html", SCRIPT));
  const response = await request("/api/v1/training_runs");
  assertEquals(response.status, 502);
  assertEquals(response.headers.get("Content-Type"), "application/json");
  assertEquals((await response.json()).error, "bad_gateway");
});

Deno.test("apiProxy returns JSON of any type as application/json", async () => {
  const { request } = createProxy(() => responseOfType("text/html", '{"html": "<b>"}'));
  const response = await request("/api/v1/training_runs");
  assertEquals(response.headers.get("Content-Type"), "application/json");
  assertEquals(await response.text(), '{"html": "<b>"}');
});

Deno.test("apiProxy returns the text of an HTML error page without its markup", async () => {
  const { request } = createProxy(() =>
    new Response(`${SCRIPT}<h1>Bad gateway</h1>`, {
      status: 503,
      headers: { "Content-Type": "text/html" },
    })
  );
  const response = await request("/api/v1/training_runs");
  assertEquals(response.status, 503);
  const text = await response.text();
  assertStringIncludes(text, "Bad gateway");
  assertEquals(/<script|alert/.test(text), false);
});

for (
  const [form, text] of [
    ["as plain text", API_KEY],
    ["in Base64", btoa(`user:${API_KEY}`)],
    ["with JSON escapes", API_KEY.replaceAll("-", "\\u002d")],
  ] as const
) {
  for (const status of [200, 400]) {
    Deno.test(`apiProxy removes the key ${form} from a body of status ${status}`, async () => {
      const body = `{"error": "e", "message": "key ${text} is old", "more": ["${text}"], "n": 1}`;
      const { request } = createProxy(() => new Response(body, { status }));
      const response = await request("/api/v1/training_runs");
      assertEquals(response.status, status);
      const returned = await response.text();
      assertEquals(returned.includes(API_KEY) || returned.includes(text), false, returned);
      assertEquals(JSON.parse(returned).error, "e");
    });
  }
}

for (const type of ["text/plain", "image/svg+xml", "application/gzip"]) {
  for (let cut = 0; cut <= API_KEY.length; cut += 5) {
    Deno.test(`apiProxy ends an archive of type ${type} at the key, cut after ${cut} characters`, async () => {
      const { request } = createProxy(() =>
        new Response(
          ReadableStream.from([`sk-X-API-Key: ${API_KEY.slice(0, cut)}`, API_KEY.slice(cut), "\n"])
            .pipeThrough(new TextEncoderStream()),
          { headers: { "Content-Type": type } },
        )
      );
      const { body } = await request(ARCHIVE);
      let text = "";
      await assertRejects(async () => {
        for await (const chunk of body ?? []) text += new TextDecoder().decode(chunk);
      }, ApiResponseValidationError);
      assertEquals("sk-X-API-Key: ".startsWith(text), true, text);
    });
  }
}

Deno.test("apiProxy returns an archive with parts of the key byte for byte", async () => {
  const parts = [API_KEY.slice(0, -1), "sk-", "s", "k", API_KEY.slice(1), API_KEY.slice(0, 5)];
  const { request } = createProxy(() =>
    new Response(ReadableStream.from(parts).pipeThrough(new TextEncoderStream()), {
      headers: { "Content-Type": "application/gzip" },
    })
  );
  assertEquals(await (await request(ARCHIVE)).text(), parts.join(""));
});

Deno.test("apiProxy drops a header that repeats the key", async () => {
  const { request } = createProxy(() =>
    Response.json({}, { headers: { "ETag": `"${API_KEY}"`, "X-Request-Id": `${API_KEY}-1` } })
  );
  const { headers } = await request("/api/v1/training_runs");
  assertEquals(headers.get("ETag"), null);
  assertEquals([...headers].some(([, value]) => value.includes(API_KEY)), false);
});

Deno.test("apiProxy returns the numbers of JSON unchanged", async () => {
  const text = '{"size": 12345678901234567890, "ratio": 1.0}';
  const { request } = createProxy(() => responseOfType("application/json", text));
  assertEquals(await (await request("/api/v1/training_runs")).text(), text);
});

Deno.test("apiProxy removes the signed URL from the error of a storage", async () => {
  const signedUrl = "https://storage.example/final?X-Signature=0123456789abcdef";
  for (
    const respond of [
      () => redirect(signedUrl),
      () => Response.json({ url: signedUrl }),
    ]
  ) {
    const { request } = createProxy(({ url }) => {
      if (url.endsWith("/archive")) return respond();
      throw new TypeError(`cannot connect to ${signedUrl}`);
    });
    const response = await request(ARCHIVE);
    assertEquals(response.status, 502);
    assertEquals((await response.text()).includes("0123456789abcdef"), false);
  }
});

Deno.test("apiProxy responds with 502 to other JSON in place of an archive", async () => {
  for (const body of ["{}", '{"url": 1}', '{"url": "javascript:alert(1)"}', "null", "{"]) {
    const { requests, request } = createProxy(() => responseOfType("application/json", body));
    assertEquals((await request(ARCHIVE)).status, 502);
    assertEquals(requests.length, 1);
  }
});
