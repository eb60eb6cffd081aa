import { assertEquals } from "@std/assert";
import { formatRemaining } from "../../src/cli/format_value.ts";

Deno.test("formatRemaining shows minutes and seconds, and hours if there are any", () => {
  const texts = [0, 1, 1_000, 65_000, 3_599_001, 7_265_000].map(formatRemaining);
  assertEquals(texts, ["0:00", "0:01", "0:01", "1:05", "1:00:00", "2:01:05"]);
});
