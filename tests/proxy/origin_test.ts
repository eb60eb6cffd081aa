/** Tests of the pages that can use apiProxy. */
import { assertEquals, assertThrows } from "@std/assert";
import { InvalidArgumentError } from "@hpcai/rx";
import { apiProxy } from "@hpcai/rx/proxy";
import { API_KEY, createProxy } from "./proxy_fixture.ts";

/** Sends a listing to a proxy and returns its status and the number of requests to the API. */
async function statusFor(
  origin: string,
  headers: Readonly<Record<string, string>> = {},
  allowedOrigins?: readonly string[],
): Promise<[status: number, requests: number]> {
  const { requests, proxy } = createProxy(() => Response.json({}), { allowedOrigins });
  // The constructor of Request drops forbidden headers such as Origin in some runtimes.
  const request = new Request(`${origin}/hpcai/api/v1/training_runs`);
  const allHeaders = new Headers(headers);
  const { status } = await proxy(Object.defineProperty(request, "headers", { value: allHeaders }));
  return [status, requests.length];
}

const ALLOWED: [number, number] = [200, 1];
const FORBIDDEN: [number, number] = [403, 0];

for (
  const origin of [
    "http://localhost:8000",
    "http://app.localhost:8000",
    "http://127.0.0.1:8000",
    "http://127.1.2.3",
    "http://[::1]:8000",
    "https://localhost",
  ]
) {
  Deno.test(`apiProxy accepts same-origin requests at ${origin}`, async () => {
    assertEquals(await statusFor(origin), ALLOWED);
    assertEquals(await statusFor(origin, { "Sec-Fetch-Site": "same-origin" }), ALLOWED);
    assertEquals(await statusFor(origin, { "Origin": new URL(origin).origin }), ALLOWED);
  });
}

for (
  const host of [
    "rebound.example",
    "localhost.example",
    "127.0.0.1.example",
    "10.0.0.1",
    "[::2]",
    "app.example.com",
  ]
) {
  Deno.test(`apiProxy refuses the host ${host} by default, against DNS rebinding`, async () => {
    assertEquals(await statusFor(`http://${host}`), FORBIDDEN);
    const sameOrigin = { "Sec-Fetch-Site": "same-origin", "Origin": `http://${host}` };
    assertEquals(await statusFor(`http://${host}`, sameOrigin), FORBIDDEN);
  });
}

for (
  const headers of [
    { "Sec-Fetch-Site": "cross-site" },
    { "Sec-Fetch-Site": "same-site" },
    { "Sec-Fetch-Site": "none" },
    { "Host": "rebound.example" },
    { "Host": "" },
    { "Host": "not a host" },
    { "Origin": "https://elsewhere.example" },
    { "Origin": "http://localhost:4200" },
    { "Origin": "https://localhost:8000" },
    { "Origin": "null" },
    { "Origin": "" },
    { "Origin": "http://localhost:8000", "Sec-Fetch-Site": "cross-site" },
  ]
) {
  Deno.test(`apiProxy refuses a request with ${JSON.stringify(headers)}`, async () => {
    assertEquals(await statusFor("http://localhost:8000", headers), FORBIDDEN);
  });
}

Deno.test("apiProxy accepts the hosts and origins of allowedOrigins", async () => {
  const allowed = ["https://app.example.com", "http://localhost:4200"];
  const statusAt = (origin: string, headers?: Readonly<Record<string, string>>) =>
    statusFor(origin, headers, allowed);
  const page = { "Origin": "https://app.example.com", "Sec-Fetch-Site": "same-origin" };
  assertEquals(await statusAt("https://app.example.com", page), ALLOWED);
  // Behind a server that ends TLS.
  assertEquals(await statusAt("http://app.example.com", page), ALLOWED);
  assertEquals(await statusAt("http://app.example.com"), ALLOWED);
  // Behind a development server on another port.
  assertEquals(await statusAt("http://127.0.0.1:8000", { "Origin": allowed[1] ?? "" }), ALLOWED);
  assertEquals(await statusAt("https://app.example.com:8443"), FORBIDDEN);
  assertEquals(await statusAt("https://example.com"), FORBIDDEN);
  const evil = { "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site" };
  assertEquals(await statusAt("https://app.example.com", evil), FORBIDDEN);
});

Deno.test("apiProxy responds to a refused request with an error of the API's shape", async () => {
  const { proxy } = createProxy(() => Response.json({}));
  const response = await proxy(new Request("http://rebound.example/api/v1/training_runs"));
  assertEquals(await response.json(), {
    error: "forbidden",
    message: "The proxy accepts requests of its own pages only",
  });
});

for (
  const [argument, options] of [
    ["apiKey", { apiKey: "" }],
    ["apiKey", { apiKey: "two\nlines" }],
    ["baseUrl", { baseUrl: "http://api.example" }],
    ["baseUrl", { baseUrl: "/hpcai" }],
    ["allowedOrigins", { allowedOrigins: ["app.example.com"] }],
    ["allowedOrigins", { allowedOrigins: ["https://app.example.com/path"] }],
    ["allowedOrigins", { allowedOrigins: ["*"] }],
    ["allowedOrigins", { allowedOrigins: ["file:///app"] }],
  ] as const
) {
  Deno.test(`apiProxy throws for the option ${JSON.stringify(options)}`, () => {
    const error = assertThrows(
      () => apiProxy({ apiKey: API_KEY, baseUrl: "https://api.example", ...options }),
      InvalidArgumentError,
    );
    assertEquals(error.argument, argument);
  });
}
