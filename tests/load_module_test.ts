import { HpcaiError } from "@hpcai/rx";
import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { loadModule } from "../src/load_module.ts";

Deno.test("loadModule returns the module", async () => {
  assertEquals(await loadModule(() => Promise.resolve({ size: 1 })), { size: 1 });
});

Deno.test("loadModule fails with an HpcaiError and advice where the module cannot be loaded", async () => {
  const cause = new TypeError("Failed to fetch dynamically imported module");
  const error = await assertRejects(() => loadModule(() => Promise.reject(cause)));
  assertInstanceOf(error, HpcaiError);
  assertEquals([error.message, error.cause], [
    "Cannot load a module of @hpcai/rx. Reload the page, or install the package again.",
    cause,
  ]);
});
