/**
 * `deno task size`: weighs what a browser app downloads for mod.ts, minified and gzipped, without RxJS,
 * which the app has anyway. Fails if the core, the classes of mod.ts and all that they import, or the
 * core with the pure functions of mod.ts is heavier than its budget; docs/design/lazy_loading.md states
 * what belongs in the core. A bundler drops the pure functions that an app does not use.
 */

const CORE_BUDGET_BYTES = 13_000;
const TOTAL_BUDGET_BYTES = 14_000;

const MOD = new URL("../mod.ts", import.meta.url);

const STATIC_IMPORT = /from"(\.\/[^"]+)"/g;
const DYNAMIC_IMPORT = /import\("(\.\/[^"]+)"\)/g;

/** The files of the bundle by the name that they are imported by, such as `./mod.js`. */
type Bundle = ReadonlyMap<string, string>;

/** Bundles exports of mod.ts. */
async function bundle(exported: readonly string[]): Promise<Bundle> {
  const directory = await Deno.makeTempDir();
  try {
    const entry = `${directory}/mod.ts`;
    await Deno.writeTextFile(entry, `export { ${exported.join(", ")} } from "${MOD.href}";`);
    const flags = ["--minify", "--platform=browser", "--external=rxjs", "--code-splitting"];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["bundle", ...flags, "--config=deno.json", `--outdir=${directory}/out`, entry],
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    const names = [...Deno.readDirSync(`${directory}/out`)].map(({ name }) => name);
    return new Map(
      names.map((name) => [`./${name}`, Deno.readTextFileSync(`${directory}/out/${name}`)]),
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function importsOf(files: Bundle, file: string, pattern: RegExp): string[] {
  return [...(files.get(file) ?? "").matchAll(pattern)].flatMap(([, imported]) => imported ?? []);
}

/** Adds a file and all that it imports statically to those that are loaded. */
function load(files: Bundle, file: string, loaded = new Set<string>()): Set<string> {
  if (loaded.has(file)) return loaded;
  loaded.add(file);
  for (const imported of importsOf(files, file, STATIC_IMPORT)) load(files, imported, loaded);
  return loaded;
}

/** The size of files that are compressed as one. */
async function gzippedBytes(files: Bundle, names: Iterable<string>): Promise<number> {
  const text = [...names].map((name) => files.get(name)).join("");
  const gzipped = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return (await new Response(gzipped).arrayBuffer()).byteLength;
}

const exported = Object.keys(await import(MOD.href));
const files = await bundle(exported.filter((name) => /^[A-Z]/.test(name)));
const core = load(files, "./mod.js");
const coreBytes = await gzippedBytes(files, core);
console.log(`Core: ${coreBytes} of ${CORE_BUDGET_BYTES} bytes`);

const everything = await bundle(exported);
const totalBytes = await gzippedBytes(everything, load(everything, "./mod.js"));
console.log(`Core and pure functions: ${totalBytes} of ${TOTAL_BUDGET_BYTES} bytes`);

const onDemand = new Set(
  [...files.keys()].flatMap((file) => importsOf(files, file, DYNAMIC_IMPORT)),
);
for (const file of [...onDemand].toSorted()) {
  const added = load(files, file).difference(core);
  const name = file.replace(/^\.\/(.*)-\w+\.js$/, "$1");
  console.log(`On demand: ${name}, ${await gzippedBytes(files, added)} bytes`);
}
if (coreBytes > CORE_BUDGET_BYTES || totalBytes > TOTAL_BUDGET_BYTES) Deno.exitCode = 1;
