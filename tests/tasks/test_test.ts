import { assertEquals } from "@std/assert";
import { closingLine } from "../../tasks/test.ts";

Deno.test("the closing line counts what passed and failed", () => {
  assertEquals(closingLine("\nok | 12 passed | 0 failed (1s)\n"), "12 passed, 0 failed");
});

Deno.test("steps are not counted as tests", () => {
  const output = "FAILED | 1 passed (2 steps) | 3 failed (1 step) (11ms)\n";
  assertEquals(closingLine(output), "1 passed, 3 failed");
});

Deno.test("ignored tests are counted as skipped, filtered ones are not counted", () => {
  const output = "ok | 1 passed | 0 failed | 2 ignored (1 step) | 4 filtered out (1m2s)\n";
  assertEquals(closingLine(output), "1 passed, 0 failed, 2 skipped");
});

Deno.test("the last closing line counts when a test printed one of its own", () => {
  const output = "ok | 1 passed | 0 failed (1s)\nFAILED | 2 passed | 1 failed (1s)\n";
  assertEquals(closingLine(output), "2 passed, 1 failed");
});

Deno.test("a run that did not come to its end has no closing line", () => {
  assertEquals(closingLine("error: Type checking failed.\n"), undefined);
});
