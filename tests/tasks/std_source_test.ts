import { assertEquals, assertRejects } from "@std/assert";
import { pathToFileURL } from "node:url";
import { checkoutModules, stdFlags, toImportMap } from "../../tasks/std_source.ts";

const root = new URL("file:///project/");

Deno.test("toImportMap resolves the subpaths of an npm package to the version of the package", () => {
  assertEquals(toImportMap({ rxjs: "npm:rxjs@^7.8.0" }, {}, root), {
    "rxjs": "npm:rxjs@^7.8.0",
    "rxjs/": "npm:/rxjs@^7.8.0/",
  });
});

Deno.test("toImportMap resolves a path of deno.json to a file of the project", () => {
  assertEquals(toImportMap({ "@hpcai/rx": "./mod.ts" }, {}, root), {
    "@hpcai/rx": "file:///project/mod.ts",
  });
});

Deno.test("toImportMap resolves @std modules to the given files only", () => {
  const imports = { "@std/testing": "jsr:@std/testing@^1", "@std/tar": "jsr:@std/tar@^0.1" };
  const std = { "@std/testing/time": "file:///project/tests/std/testing/time.ts" };
  assertEquals(toImportMap(imports, std, root), std);
});

Deno.test("checkoutModules finds the exports of all packages in a checkout of denoland/std", async () => {
  const checkout = await makeCheckout({
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

Deno.test("stdFlags with --std uses the checkout and returns the other arguments", async () => {
  const checkout = await makeCheckout({
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

Deno.test("stdFlags with --std fails without a directory, or if the directory does not exist", async () => {
  const directory = await Deno.makeTempDir();
  await assertRejects(() => stdFlags(["--std"], directory), Error, "--std needs the path");
  await assertRejects(
    () => stdFlags(["--std", `${directory}/missing`], directory),
    Deno.errors.NotFound,
  );
});

/** Creates a directory with JSON files. */
async function makeCheckout(files: Readonly<Record<string, unknown>>): Promise<URL> {
  const checkout = pathToFileURL(`${await Deno.makeTempDir()}/`);
  for (const [path, content] of Object.entries(files)) {
    const file = new URL(path, checkout);
    await Deno.mkdir(new URL(".", file), { recursive: true });
    await Deno.writeTextFile(file, JSON.stringify(content));
  }
  return checkout;
}
