import { assertEquals } from "@std/assert";
import { importMap } from "../../tasks/std_source.ts";

const root = new URL("file:///project/");

Deno.test("an npm package's subpaths resolve to the same version as the package", () => {
  assertEquals(importMap({ rxjs: "npm:rxjs@^7.8.0" }, [], root), {
    "rxjs": "npm:rxjs@^7.8.0",
    "rxjs/": "npm:/rxjs@^7.8.0/",
  });
});

Deno.test("a path in deno.json still means the project's file", () => {
  assertEquals(importMap({ "@hpcai/rx": "./mod.ts" }, [], root), {
    "@hpcai/rx": "file:///project/mod.ts",
  });
});

Deno.test("@std modules come from the files that back them, and from nowhere else", () => {
  const imports = { "@std/testing": "jsr:@std/testing@^1", "@std/tar": "jsr:@std/tar@^0.1" };
  assertEquals(importMap(imports, ["testing/time.ts"], root), {
    "@std/testing/time": "file:///project/tests/std/testing/time.ts",
  });
});
