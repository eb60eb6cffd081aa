import {
  ApiTimeoutError,
  DownloadInterruptedError,
  HpcaiError,
  InvalidArchiveError,
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
