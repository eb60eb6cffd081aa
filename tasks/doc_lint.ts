/**
 * `deno task doc:lint`: runs `deno doc --lint` with an empty module for every npm package. Deno 2.9 skips
 * the types of remote modules (denoland/deno#34339) but not those of npm packages, which are files in its
 * cache: it would report each `Observable` in a signature as a private type.
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
