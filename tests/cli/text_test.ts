import { assertEquals } from "@std/assert";
import { printableLines, timeLeft } from "../../src/cli/text.ts";

Deno.test("a time left is minutes and seconds, with hours where there are some", () => {
  const shown = [0, 1, 1_000, 65_000, 3_599_001, 7_265_000].map(timeLeft);
  assertEquals(shown, ["0:00", "0:01", "0:01", "1:05", "1:00:00", "2:01:05"]);
});

Deno.test("lines may end as on Windows; a return of the cursor alone is not obeyed", () => {
  assertEquals(printableLines("a\r\nb\rc\u001b[2J\td\n"), "a\nb\ufffdc\ufffd[2J\td\n");
});
