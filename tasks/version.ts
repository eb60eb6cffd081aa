/**
 * `deno task version`: writes the version of deno.json into the module that the command reads it from.
 * An import of deno.json would need a newer Node than the package supports, and deno.json is not in the
 * npm package.
 */
import config from "../deno.json" with { type: "json" };

await Deno.writeTextFile(
  new URL("../src/cli/version.ts", import.meta.url),
  `/** The version of the package: written by \`deno task version\` from deno.json. */
export const VERSION = "${config.version}";
`,
);
