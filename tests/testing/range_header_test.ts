import { assertEquals } from "@std/assert";
import { parseRange } from "../../src/testing/range_header.ts";

Deno.test("parseRange reads the single ranges of RFC 9110", () => {
  const cases = [
    ["bytes=0-0", { start: 0, end: 1 }],
    ["bytes=10-", { start: 10, end: 100 }],
    ["bytes=10-19", { start: 10, end: 20 }],
    ["bytes=10-1000", { start: 10, end: 100 }],
    ["bytes=-5", { start: 95, end: 100 }],
    ["bytes=-500", { start: 0, end: 100 }],
    ["BYTES=1-1", { start: 1, end: 2 }],
  ] as const;
  for (const [header, range] of cases) assertEquals(parseRange(header, 100), range);
});

Deno.test("parseRange reports a range past the end as unsatisfiable", () => {
  for (const header of ["bytes=100-", "bytes=200-300", "bytes=-0"]) {
    assertEquals(parseRange(header, 100), "unsatisfiable");
  }
});

Deno.test("parseRange ignores several ranges, other units and malformed headers", () => {
  for (
    const header of [null, "", "bytes=0-1,5-6", "bytes=-", "bytes=9-3", "items=0-1", "bytes=a-b"]
  ) {
    assertEquals(parseRange(header, 100), undefined);
  }
});
