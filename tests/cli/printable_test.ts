import { assertEquals } from "@std/assert";
import { toPrintableLines } from "../../src/cli/printable.ts";

Deno.test("toPrintableLines converts CRLF to LF and replaces other control characters", () => {
  assertEquals(toPrintableLines("a\r\nb\rc\u001b[2J\td\n"), "a\nb\ufffdc\ufffd[2J\td\n");
});
