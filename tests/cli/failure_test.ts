import {
  ApiConnectionError,
  ApiTimeoutError,
  DownloadInterruptedError,
  HpcaiError,
  InvalidArchiveError,
  LimitExceededError,
  PermissionDeniedError,
  UnsafeArchiveError,
} from "@hpcai/rx";
import { assertEquals } from "@std/assert";
import { toFailure } from "../../src/cli/failure.ts";

const request = { method: "GET", requestUrl: "https://api.example/" };
const failures: [Error, number][] = [
  [new ApiTimeoutError("No answer came", request), 5],
  [new DownloadInterruptedError("the connection was lost", 1, 2), 5],
  [new InvalidArchiveError("it ends early"), 1],
  [new UnsafeArchiveError("../x", "it leads out"), 1],
  [new HpcaiError("The disk is full"), 1],
  [new TypeError("a bug"), 1],
];
for (const [error, exitCode] of failures) {
  Deno.test(`${error.name} exits with ${exitCode} and says what to do`, () => {
    const failure = toFailure(error);
    assertEquals([failure.exitCode, failure.advice.endsWith(".")], [exitCode, true]);
  });
}

Deno.test("an obstacle is told with what to do about it", () => {
  const advice = (["certificate", "permission", "port"] as const).map((obstacle) =>
    toFailure(new ApiConnectionError("No", request, { obstacle })).advice
  );
  assertEquals(advice, [
    "Check --base-url and this machine's clock. The certificate of a private authority goes into " +
    "DENO_CERT, or with Node into NODE_EXTRA_CA_CERTS.",
    "Run it with --allow-net.",
    "Name another port in --base-url.",
  ]);
});

Deno.test("a storage that refuses a signed URL is not taken for a refused key", () => {
  const refusal = { ...request, status: 403, message: "expired" };
  const advice = (isRedirected: boolean) =>
    toFailure(new PermissionDeniedError({ ...refusal, isRedirected })).advice;
  assertEquals(advice(false), "Ask the owner, or use another key.");
  assertEquals(
    advice(true),
    "The storage refuses the archive's signed URL. Run the same command again.",
  );
});

Deno.test("a listing that is too large exits with 1 and doubts the base URL", () => {
  const failure = toFailure(new LimitExceededError("maxJsonBytes", 1, "It is too large"));
  assertEquals([failure.exitCode, failure.advice], [
    1,
    "No listing is that large. Check --base-url.",
  ]);
});
