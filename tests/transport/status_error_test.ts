import { assertEquals, assertInstanceOf, assertNotMatch, assertStringIncludes } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import * as errors from "../../src/errors.ts";
import { redactor } from "../../src/transport/redact.ts";
import { statusError } from "../../src/transport/status_error.ts";

const request = { method: "GET", requestUrl: "https://api.example/x" };

function read(status: number, body: BodyInit | null, headers: HeadersInit = {}) {
  const response = new Response(body, { status, headers });
  return statusError(response, request, redactor("sk-secret").redact);
}

for (
  const [status, ErrorClass] of [
    [400, errors.BadRequestError],
    [401, errors.AuthenticationError],
    [403, errors.PermissionDeniedError],
    [404, errors.NotFoundError],
    [409, errors.ConflictError],
    [422, errors.UnprocessableEntityError],
    [429, errors.RateLimitError],
    [500, errors.InternalServerError],
    [503, errors.InternalServerError],
    [418, errors.ApiStatusError],
  ] as const
) {
  Deno.test(`statusError makes a ${ErrorClass.name} of status ${status}`, async () => {
    const error = await read(status, null);
    assertEquals(error.constructor, ErrorClass);
    assertEquals(error.name, ErrorClass.name);
    assertEquals(error.status, status);
    assertInstanceOf(error, errors.HpcaiError);
  });
}

Deno.test("statusError reads code, message and details of the API's own error body", async () => {
  const error = await read(
    409,
    JSON.stringify({ error: "busy", message: "The run is busy", details: { run: "r" } }),
  );
  assertEquals(error.message, "HTTP 409: The run is busy (GET https://api.example/x)");
  assertEquals([error.code, error.details], ["busy", { run: "r" }]);
  assertEquals([error.method, error.requestUrl], ["GET", "https://api.example/x"]);
});

Deno.test("statusError uses FastAPI's detail text as the message", async () => {
  const error = await read(400, JSON.stringify({ detail: "use weights/step_0010" }));
  assertStringIncludes(error.message, "use weights/step_0010");
  assertEquals(error.details, undefined);
});

Deno.test("statusError joins FastAPI's list of faults, and keeps it in details", async () => {
  const detail = [
    { loc: ["query", "limit"], msg: "must be greater than 0", type: "greater_than" },
    { msg: "no place" },
  ];
  const error = await read(422, JSON.stringify({ detail }));
  assertStringIncludes(error.message, "query.limit: must be greater than 0; no place");
  assertEquals(error.details, detail);
});

Deno.test("statusError uses the code as the message where there is no other", async () => {
  assertStringIncludes((await read(500, '{"error":"overloaded"}')).message, "HTTP 500: overloaded");
});

Deno.test("statusError quotes JSON of another shape", async () => {
  for (const body of ["[1,2]", '"text"', '{"other":1}', '{"detail":[]}']) {
    assertStringIncludes((await read(500, body)).message, JSON.stringify(body));
  }
});

Deno.test("statusError quotes the text of an HTML page, shortened and without markup", async () => {
  const page = `<html><style>p{}</style><h1>502 Bad\nGateway</h1><p>${"x".repeat(500)}</p></html>`;
  const { message } = await read(502, page, { "Content-Type": "text/html" });
  assertStringIncludes(message, 'HTTP 502: the response is "502 Bad Gateway xxx');
  assertNotMatch(message, /<|p\{\}/);
  assertEquals(message.length < 320, true);
});

for (
  const [store, body] of [
    [
      "S3",
      '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>ExpiredToken</Code><Message>The token has ' +
      "expired</Message><RequestId>1</RequestId></Error>",
    ],
    [
      "Google Cloud Storage",
      "<?xml version='1.0' encoding='UTF-8'?><Error><Code>ExpiredToken</Code><Message>The provided " +
      "token has expired.</Message></Error>",
    ],
    [
      "Azure",
      '\ufeff<?xml version="1.0" encoding="utf-8"?>\n<Error>\n  <Code>ExpiredToken</Code>\n</Error>',
    ],
  ] as const
) {
  Deno.test(`statusError reads the code in the XML of ${store}`, async () => {
    const error = await read(400, body, { "Content-Type": "application/xml" });
    assertEquals([error.code, error.details], ["ExpiredToken", undefined]);
    assertStringIncludes(error.message, "ExpiredToken");
  });
}

Deno.test("statusError finds no code in other markup", async () => {
  assertEquals((await read(502, "<html><Code>x</Code></html>")).code, undefined);
});

for (
  const [header, expected] of [["250", 250], ["0", 0], ["1.5", 2], ["soon", 7000], [
    "-1",
    7000,
  ]] as const
) {
  Deno.test(`retryAfterMs of retry-after-ms: ${header} beside Retry-After: 7 is ${expected}`, async () => {
    const error = await read(429, null, { "retry-after-ms": header, "Retry-After": "7" });
    assertEquals(error.retryAfterMs, expected);
  });
}

for (
  const [header, expected] of [["true", true], ["false", false], ["maybe", undefined]] as const
) {
  Deno.test(`shouldRetry of x-should-retry: ${header} is ${expected}`, async () => {
    assertEquals((await read(500, null, { "x-should-retry": header })).shouldRetry, expected);
  });
}

Deno.test("statusError describes an empty body", async () => {
  assertStringIncludes((await read(503, null)).message, "HTTP 503: the response is empty");
  assertStringIncludes((await read(503, " \n")).message, "the response is empty");
});

Deno.test("statusError makes the error of the status where the body is interrupted", async () => {
  const body = new ReadableStream({ start: (controller) => controller.error(new Error("cut")) });
  assertEquals((await read(500, body)).status, 500);
});

Deno.test("statusError reads only the beginning of an endless body", async () => {
  let isCancelled = false;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(8192).fill(120)),
    cancel: () => {
      isCancelled = true;
    },
  });
  assertStringIncludes((await read(500, body)).message, "xxx");
  assertEquals(isCancelled, true);
});

Deno.test("statusError removes the key and signed URLs that a server repeats", async () => {
  const url = "https://s.example/a?X-Signature=1";
  const body = { message: "key sk-secret", details: [{ url }], error: `sk-secret` };
  const error = await read(401, JSON.stringify(body));
  assertNotMatch(Deno.inspect(error, { depth: 9 }), /sk-secret|X-Signature/);
  assertStringIncludes(error.message, "key [redacted]");
});

for (
  const [header, expected] of [["7", 7000], ["0", 0], ["1.5", 1500], ["soon", undefined], [
    "soon 5",
    undefined,
  ], ["-1", undefined]] as const
) {
  Deno.test(`retryAfterMs of Retry-After: ${header} is ${expected}`, async () => {
    assertEquals((await read(429, null, { "Retry-After": header })).retryAfterMs, expected);
  });
}

Deno.test("retryAfterMs of a date is the time until then, or 0 if it has passed", async () => {
  using _time = new FakeTime(Date.parse("2026-01-07T10:00:00Z"));
  const until = (date: string) => read(503, null, { "Retry-After": date });
  assertEquals((await until("Wed, 07 Jan 2026 10:00:30 GMT")).retryAfterMs, 30_000);
  assertEquals((await until("Wed, 07 Jan 2026 09:00:00 GMT")).retryAfterMs, 0);
});

Deno.test("statusError uses the code where the message is empty", async () => {
  assertStringIncludes((await read(403, '{"error":"quota","message":""}')).message, "403: quota");
});

Deno.test("statusError puts a message on one line", async () => {
  const { message } = await read(500, JSON.stringify({ message: "a\r\nb\u001b[31mc" }));
  assertStringIncludes(message, "HTTP 500: a b [31mc (");
});

Deno.test("statusError skips the place of a fault that is not text", async () => {
  const detail = [{ loc: [{ toString: 1 }, "limit"], msg: "wrong" }, { loc: "x", msg: {} }];
  assertStringIncludes((await read(422, JSON.stringify({ detail }))).message, "422: limit: wrong");
});

Deno.test("ApiStatusError has the response's headers without secrets and cookies", async () => {
  const { headers } = await read(429, null, {
    "x-ratelimit-remaining": "0",
    "x-echo": "key sk-secret",
    "x-sk-secret": "1",
    "Link": "<https://s.example/a?X-Signature=1>",
    "Set-Cookie": "session=1",
  });
  assertEquals([...headers], [
    ["link", "<https://s.example/a?[redacted]>"],
    ["x-echo", "key [redacted]"],
    ["x-ratelimit-remaining", "0"],
  ]);
});

Deno.test("statusError removes the full stop of the server's message", async () => {
  const { problem } = await read(404, JSON.stringify({ message: "No such run." }));
  assertEquals(problem, "HTTP 404: No such run");
});

for (
  const [status, isRedirected, headers, advice] of [
    [401, false, {}, "Check the option apiKey or HPCAI_API_KEY."],
    [403, false, {}, "Use a key with this permission."],
    [404, false, {}, "Check the ids with listTrainingRuns$ and listCheckpoints$."],
    [403, true, {}, "Download it again, which requests a new URL."],
    [429, false, {}, "Retry later."],
    [429, true, { "Retry-After": "90" }, "Retry in 90 s."],
    [503, false, { "Retry-After": "3601" }, "Retry in 61 minutes."],
    [418, false, {}, undefined],
    [501, true, {}, undefined],
  ] as const
) {
  Deno.test(`ApiStatusError ${status}${isRedirected ? " of a storage" : ""} with ${JSON.stringify(headers)} has the advice ${advice}`, async () => {
    const response = new Response(null, { status, headers });
    const error = await statusError(
      response,
      { ...request, isRedirected },
      redactor("sk-secret").redact,
    );
    assertEquals(error.advice, advice);
  });
}
