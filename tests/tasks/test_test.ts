import { assertEquals } from "@std/assert";
import { closingLine } from "../../tasks/test.ts";

Deno.test("closingLine counts the tests that passed and failed", () => {
  assertEquals(closingLine("\nok | 12 passed | 0 failed (1s)\n"), "12 passed, 0 failed");
});

Deno.test("closingLine does not count steps", () => {
  const output = "FAILED | 1 passed (2 steps) | 3 failed (1 step) (11ms)\n";
  assertEquals(closingLine(output), "1 passed, 3 failed");
});

Deno.test("closingLine counts ignored tests as skipped, and ignores filtered tests", () => {
  const output = "ok | 1 passed | 0 failed | 2 ignored (1 step) | 4 filtered out (1m2s)\n";
  assertEquals(closingLine(output), "1 passed, 0 failed, 2 skipped");
});

Deno.test("closingLine reads the last line where a test printed one too", () => {
  const output = "ok | 1 passed | 0 failed (1s)\nFAILED | 2 passed | 1 failed (1s)\n";
  assertEquals(closingLine(output), "2 passed, 1 failed");
});

Deno.test("closingLine returns undefined for a run that did not end", () => {
  assertEquals(closingLine("error: Type checking failed.\n"), undefined);
});
