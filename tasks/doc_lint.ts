/**
 * `deno task doc:lint`: `deno doc --lint`, with every npm package an empty module. As of Deno 2.9 it
 * skips the types of remote modules (denoland/deno#34339) but not of npm packages, as they are files
 * in its cache, so that each `Observable` in a signature would be a private type.
 */
import config from "../deno.json" with { type: "json" };

const EMPTY_MODULE = "data:application/typescript,";

const root = new URL("../", import.meta.url);
const imports = Object.fromEntries(
  Object.entries(config.imports)
    .filter(([, address]) => address.startsWith("npm:"))
    .map(([name]) => [name, EMPTY_MODULE]),
);

const importMap = await Deno.makeTempFile({ suffix: ".json" });
try {
  await Deno.writeTextFile(importMap, JSON.stringify({ imports }));
  const lint = new Deno.Command(Deno.execPath(), {
    args: ["doc", "--lint", `--import-map=${importMap}`, ...Object.values(config.exports)],
    cwd: root,
    stdout: "null", // the documentation itself
  });
  Deno.exitCode = (await lint.spawn().status).code;
} finally {
  await Deno.remove(importMap);
}
