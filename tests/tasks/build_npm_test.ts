import { assertEquals } from "@std/assert";
import { npmManifest, toNodeProgram } from "../../tasks/build_npm.ts";

const PACKED = {
  name: "@hpcai/rx",
  exports: { ".": { types: "./mod.d.ts", default: "./mod.js" } },
  dependencies: { "modern-tar": "^0.8.6", rxjs: "^7.8.0", commander: "^14.0.3" },
};

Deno.test("npmManifest makes RxJS a peer dependency and keeps the other dependencies", () => {
  const { dependencies, peerDependencies } = npmManifest(PACKED);
  assertEquals(peerDependencies, { rxjs: "^7.8.0" });
  assertEquals(dependencies, { "modern-tar": "^0.8.6", commander: "^14.0.3" });
});

Deno.test("npmManifest keeps name and exports, and declares that nothing has side effects", () => {
  const { name, exports, sideEffects } = npmManifest(PACKED);
  assertEquals({ name, exports }, { name: PACKED.name, exports: PACKED.exports });
  assertEquals(sideEffects, false);
});

Deno.test("npmManifest declares the command where the package has the entry ./cli", () => {
  const cli = { types: "./src/cli/mod.d.ts", default: "./src/cli/mod.js" };
  const { bin } = npmManifest({ ...PACKED, exports: { ...PACKED.exports, "./cli": cli } });
  assertEquals(bin, { "hpcai-rx": "./src/cli/bin.js" });
  assertEquals("bin" in npmManifest(PACKED), false);
});

Deno.test("toNodeProgram imports modules of the package as .js", () => {
  const source = `#!/usr/bin/env node
import process from "node:process";
import { main } from "./mod.ts";
`;
  const program = `#!/usr/bin/env node
import process from "node:process";
import { main } from "./mod.js";
`;
  assertEquals(toNodeProgram(source), program);
});
