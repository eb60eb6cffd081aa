import { ApiError, RestClient } from "@hpcai/rx";
import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { firstValueFrom } from "rxjs";
import { redactor } from "../../src/transport/redact.ts";
import { requestIdOf } from "../../src/transport/request_id.ts";

const { redact } = redactor("sk-secret");

Deno.test("requestIdOf reads the headers of servers and proxies, x-request-id first", () => {
  for (const name of ["x-request-id", "request-id", "x-amz-request-id", "cf-ray"]) {
    assertEquals(requestIdOf(new Headers({ [name]: "id", "cf-ray": "id" }), redact), "id");
  }
  const both = new Headers({ "cf-ray": "edge", "x-request-id": "api" });
  assertEquals(requestIdOf(both, redact), "api");
  assertEquals(requestIdOf(new Headers(), redact), undefined);
  assertEquals(requestIdOf(undefined, redact), undefined);
});

Deno.test("requestIdOf removes the key from an id that repeats it", () => {
  assertEquals(
    requestIdOf(new Headers({ "request-id": "for sk-secret" }), redact),
    "for [redacted]",
  );
});

const headers = { "x-request-id": "req-7" };
const responses: [string, () => Response][] = [
  ["an error status", () => new Response("{}", { status: 404, headers })],
  ["a body that is not JSON", () => new Response("<html>", { headers })],
  [
    "a redirect that cannot be followed",
    () =>
      new Response(null, { status: 302, headers: { ...headers, "Location": "ftp://h.example/" } }),
  ],
  ["a body that is cut", () =>
    new Response(
      new ReadableStream({ start: (controller) => controller.error(new TypeError("cut")) }),
      { headers },
    )],
];
for (const [what, response] of responses) {
  Deno.test(`ApiError of ${what} has the server's request id`, async () => {
    const client = new RestClient({
      apiKey: "sk-secret",
      retry: false,
      fetch: () => Promise.resolve(response()),
    });
    const error = await assertRejects(() => firstValueFrom(client.listTrainingRuns$()));
    assertInstanceOf(error, ApiError);
    assertEquals(error.requestId, "req-7");
  });
}
