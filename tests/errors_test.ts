import {
  ApiConnectionError,
  ApiError,
  ApiRedirectError,
  ApiResponseValidationError,
  ApiStatusError,
  ApiTimeoutError,
  HpcaiError,
  InvalidArgumentError,
  LimitExceededError,
} from "@hpcai/rx";
import { assertEquals, assertInstanceOf } from "@std/assert";

const request = { method: "GET", requestUrl: "https://api.example/x", requestId: "req-1" };

Deno.test("HpcaiError builds its message from the problem and the advice", () => {
  const cause = new Error("why");
  const error = new HpcaiError("The disk is full", { advice: "Free some space.", cause });
  assertEquals(error.message, "The disk is full. Free some space.");
  assertEquals([error.problem, error.advice, error.cause], [
    "The disk is full",
    "Free some space.",
    cause,
  ]);
});

Deno.test("HpcaiError without advice has the problem as its message, and no cause", () => {
  const error = new HpcaiError("The disk is full");
  assertEquals([error.message, error.advice, "cause" in error], [
    "The disk is full",
    undefined,
    false,
  ]);
});

Deno.test("InvalidArgumentError has the argument, the reason and both as its problem", () => {
  const error = new InvalidArgumentError("limit", "must be a positive integer, got 1.5");
  assertEquals([error.argument, error.reason, error.problem, error.message], [
    "limit",
    "must be a positive integer, got 1.5",
    "limit must be a positive integer, got 1.5",
    "limit must be a positive integer, got 1.5",
  ]);
});

Deno.test("LimitExceededError advises to increase the option", () => {
  assertEquals(
    new LimitExceededError("maxBytes", 5, "The archive").message,
    "The archive exceeds maxBytes (5). Increase maxBytes if that size is expected.",
  );
});

const status = { ...request, status: 404, message: "no such run" };
const errors: ApiError[] = [
  new ApiConnectionError("The connection failed", request, { advice: "Check it." }),
  new ApiTimeoutError("The request timed out after 5 ms", request, { advice: "Check it." }),
  new ApiRedirectError("The redirect is one too many", request, { advice: "Check it." }),
  new ApiStatusError({ ...status, advice: "Check it." }),
  new ApiResponseValidationError("expected JSON", "", '"x"', request, { advice: "Check it." }),
];
for (const error of errors) {
  Deno.test(`${error.name} is an ApiError whose message has the problem, the request and the advice`, () => {
    assertInstanceOf(error, ApiError);
    assertEquals([error.method, error.requestUrl, error.requestId], [
      "GET",
      "https://api.example/x",
      "req-1",
    ]);
    assertEquals(error.message, `${error.problem} (GET https://api.example/x). Check it.`);
  });
}

Deno.test("ApiStatusError has its status and the server's message as its problem", () => {
  const headers = new Headers({ "x-request-id": "req-1" });
  const error = new ApiStatusError({ ...status, headers });
  assertEquals([error.problem, error.headers], ["HTTP 404: no such run", headers]);
});
