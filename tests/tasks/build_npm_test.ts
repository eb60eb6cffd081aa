import { assertEquals } from "@std/assert";
import { nodeProgram, npmManifest } from "../../tasks/build_npm.ts";

const PACKED = {
  name: "@hpcai/rx",
  exports: { ".": { types: "./mod.d.ts", default: "./mod.js" } },
  dependencies: { "modern-tar": "^0.8.6", rxjs: "^7.8.0", commander: "^14.0.3" },
};

Deno.test("the npm package asks its user for RxJS, and brings the rest itself", () => {
  const { dependencies, peerDependencies } = npmManifest(PACKED);
  assertEquals(peerDependencies, { rxjs: "^7.8.0" });
  assertEquals(dependencies, { "modern-tar": "^0.8.6", commander: "^14.0.3" });
});

Deno.test("the npm package keeps what was packed, and may be tree-shaken", () => {
  const { name, exports, sideEffects } = npmManifest(PACKED);
  assertEquals({ name, exports }, { name: PACKED.name, exports: PACKED.exports });
  assertEquals(sideEffects, false);
});

Deno.test("the npm package is a command where it has the entry ./cli, and else is none", () => {
  const cli = { types: "./src/cli/mod.d.ts", default: "./src/cli/mod.js" };
  const { bin } = npmManifest({ ...PACKED, exports: { ...PACKED.exports, "./cli": cli } });
  assertEquals(bin, { "hpcai-rx": "./src/cli/bin.js" });
  assertEquals("bin" in npmManifest(PACKED), false);
});

Deno.test("the command imports the package's own modules as what they are in the package", () => {
  const source = `#!/usr/bin/env node
import process from "node:process";
import { main } from "./mod.ts";
`;
  const program = `#!/usr/bin/env node
import process from "node:process";
import { main } from "./mod.js";
`;
  assertEquals(nodeProgram(source), program);
});
