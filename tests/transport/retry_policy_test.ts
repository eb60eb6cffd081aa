import { assertEquals } from "@std/assert";
import {
  ApiConnectionError,
  ApiRedirectError,
  type ApiStatus,
  apiStatusError,
  ApiTimeoutError,
  InvalidArgumentError,
} from "../../src/errors.ts";
import {
  archivePolicy,
  callPolicy,
  isTransient,
  type RetryDecision,
  transferPolicy,
  watchPolicy,
} from "../../src/transport/retry_policy.ts";

const request = { method: "GET", requestUrl: "https://api.example/x" };
const connection = new ApiConnectionError("The connection failed", request);
const status = (status: number, more: Partial<ApiStatus> = {}) =>
  apiStatusError({ ...request, status, message: "no", ...more });
const ofStorage = (code: number, more: Partial<ApiStatus> = {}) =>
  status(code, { isRedirected: true, ...more });

/** The decisions of callPolicy, archivePolicy, and watchPolicy for all runs and for one run. */
const decisions: [string, unknown, ...RetryDecision[]][] = [
  ["a failed connection", connection, "retry", "retry", "retry", "retry"],
  ["a timeout", new ApiTimeoutError("late", request), "retry", "retry", "retry", "retry"],
  [
    "an invalid certificate",
    new ApiConnectionError("no", request, { obstacle: "certificate" }),
    "fail",
    "fail",
    "retry",
    "retry",
  ],
  ["a redirect", new ApiRedirectError("no", request), "fail", "fail", "retry", "retry"],
  ["425", status(425), "retry", "wait", "retry", "retry"],
  ["503", status(503), "retry", "wait", "retry", "retry"],
  [
    "503 that must not be retried",
    status(503, { shouldRetry: false }),
    "fail",
    "fail",
    "retry",
    "retry",
  ],
  ["429", status(429), "retry", "retry", "retry", "retry"],
  ["501", status(501), "fail", "fail", "retry", "retry"],
  ["401 of the API", status(401), "fail", "fail", "fail", "fail"],
  ["403 of the API", status(403), "fail", "fail", "fail", "fail"],
  ["404", status(404), "fail", "fail", "retry", "fail"],
  ["403 of a storage", ofStorage(403), "retry", "retry", "fail", "fail"],
  [
    "400 ExpiredToken",
    ofStorage(400, { code: "ExpiredToken" }),
    "retry",
    "retry",
    "retry",
    "retry",
  ],
  ["400 of a storage", ofStorage(400), "fail", "fail", "retry", "retry"],
  ["an invalid argument", new InvalidArgumentError("a", "is b"), "fail", "fail", "fail", "fail"],
  ["an error of another kind", new TypeError("bug"), "fail", "fail", "retry", "retry"],
];
for (const [outcome, error, ...expected] of decisions) {
  Deno.test(`callPolicy, archivePolicy and watchPolicy decide ${expected.join(", ")} for ${outcome}`, () => {
    const policies = [callPolicy(), archivePolicy(), watchPolicy(false), watchPolicy(true)];
    assertEquals(policies.map((decide) => decide(error)), expected);
  });
}

Deno.test("callPolicy retries an expired URL three times, apart from other errors", () => {
  const decide = callPolicy();
  const errors = [ofStorage(403), connection, ofStorage(403), ofStorage(401), ofStorage(403)];
  assertEquals(errors.map(decide), ["retry", "retry", "retry", "retry", "fail"]);
});

Deno.test("transferPolicy retries an interruption while the transfer can continue", () => {
  let canContinue = true;
  const decide = transferPolicy((error) => error === connection, () => canContinue);
  assertEquals([decide(connection), decide(status(503))], ["retry", "fail"]);
  canContinue = false;
  assertEquals(decide(connection), "fail");
});

Deno.test("isTransient accepts connection errors, timeouts and statuses of a passing state", () => {
  assertEquals(isTransient(connection), true);
  assertEquals(isTransient(new ApiTimeoutError("late", request)), true);
  for (const transient of [408, 409, 425, 429, 500, 502, 503, 504]) {
    assertEquals(isTransient(status(transient)), true, String(transient));
  }
});

Deno.test("isTransient follows x-should-retry rather than the status", () => {
  const withShouldRetry = (code: number, shouldRetry: boolean) => status(code, { shouldRetry });
  assertEquals(isTransient(withShouldRetry(503, false)), false);
  assertEquals(isTransient(withShouldRetry(400, true)), true);
});

Deno.test("isTransient rejects a connection error with an obstacle", () => {
  for (const obstacle of ["certificate", "permission", "port", "fetch"] as const) {
    assertEquals(isTransient(new ApiConnectionError("no", request, { obstacle })), false);
  }
});

Deno.test("isTransient rejects redirects, invalid arguments and lasting statuses", () => {
  assertEquals(isTransient(new ApiRedirectError("no", request)), false);
  assertEquals(isTransient(new InvalidArgumentError("limit", "no")), false);
  for (const lasting of [400, 401, 403, 404, 410, 422, 501, 505]) {
    assertEquals(isTransient(status(lasting)), false, String(lasting));
  }
});
