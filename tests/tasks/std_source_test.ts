import { assertEquals, assertRejects } from "@std/assert";
import { pathToFileURL } from "node:url";
import { checkoutModules, importMap, stdFlags } from "../../tasks/std_source.ts";

const root = new URL("file:///project/");

Deno.test("an npm package's subpaths resolve to the same version as the package", () => {
  assertEquals(importMap({ rxjs: "npm:rxjs@^7.8.0" }, {}, root), {
    "rxjs": "npm:rxjs@^7.8.0",
    "rxjs/": "npm:/rxjs@^7.8.0/",
  });
});

Deno.test("a path in deno.json still means the project's file", () => {
  assertEquals(importMap({ "@hpcai/rx": "./mod.ts" }, {}, root), {
    "@hpcai/rx": "file:///project/mod.ts",
  });
});

Deno.test("@std modules come from the given files, and from nowhere else", () => {
  const imports = { "@std/testing": "jsr:@std/testing@^1", "@std/tar": "jsr:@std/tar@^0.1" };
  const std = { "@std/testing/time": "file:///project/tests/std/testing/time.ts" };
  assertEquals(importMap(imports, std, root), std);
});

Deno.test("a checkout of denoland/std has the modules that its packages export", async () => {
  const checkout = await checkoutOf({
    "deno.json": { workspace: ["./assert", "./data_structures"] },
    "assert/deno.json": {
      name: "@std/assert",
      exports: { ".": "./mod.ts", "./is-error": "./is_error.ts" },
    },
    "data_structures/deno.json": { name: "@std/data-structures", exports: "./mod.ts" },
    "_tools/deno.json": {},
    ".github/labeler.json": {},
  });
  assertEquals(await checkoutModules(checkout), {
    "@std/assert": `${checkout}assert/mod.ts`,
    "@std/assert/is-error": `${checkout}assert/is_error.ts`,
    "@std/data-structures": `${checkout}data_structures/mod.ts`,
  });
});

Deno.test("--std takes @std/* from a checkout and leaves the other arguments", async () => {
  const checkout = await checkoutOf({
    "assert/deno.json": { name: "@std/assert", exports: "./mod.ts" },
  });
  const directory = await Deno.makeTempDir();
  const { flags, args } = await stdFlags(
    ["--std", checkout.pathname, "--filter", "one"],
    directory,
  );
  assertEquals(args, ["--filter", "one"]);
  assertEquals(flags, [`--import-map=${directory}/import_map.json`]);
  const { imports } = JSON.parse(await Deno.readTextFile(`${directory}/import_map.json`));
  assertEquals(imports["@std/assert"], `${checkout}assert/mod.ts`);
  assertEquals(imports["@std/testing/time"], undefined);
});

Deno.test("--std without a directory, or with one that is missing, is an error", async () => {
  const directory = await Deno.makeTempDir();
  await assertRejects(() => stdFlags(["--std"], directory), Error, "--std needs the path");
  await assertRejects(
    () => stdFlags(["--std", `${directory}/missing`], directory),
    Deno.errors.NotFound,
  );
});

/** A directory with these JSON files. */
async function checkoutOf(files: Readonly<Record<string, unknown>>): Promise<URL> {
  const checkout = pathToFileURL(`${await Deno.makeTempDir()}/`);
  for (const [path, content] of Object.entries(files)) {
    const file = new URL(path, checkout);
    await Deno.mkdir(new URL(".", file), { recursive: true });
    await Deno.writeTextFile(file, JSON.stringify(content));
  }
  return checkout;
}
