/**
 * `deno task size`: weighs what a browser app downloads for mod.ts, minified and gzipped, without RxJS,
 * which the app has anyway. Fails if the core is heavier than its budget; docs/design/lazy_loading.md
 * states what belongs in the core.
 */

const CORE_BUDGET_BYTES = 13_000;

const MOD = new URL("../mod.ts", import.meta.url);

const STATIC_IMPORT = /from"(\.\/[^"]+)"/g;
const DYNAMIC_IMPORT = /import\("(\.\/[^"]+)"\)/g;

/** The files of the bundle by the name that they are imported by, such as `./mod.js`. */
type Bundle = ReadonlyMap<string, string>;

async function bundle(): Promise<Bundle> {
  const directory = await Deno.makeTempDir();
  try {
    const flags = ["--minify", "--platform=browser", "--external=rxjs", "--code-splitting"];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["bundle", ...flags, `--outdir=${directory}`, MOD.href],
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    const names = [...Deno.readDirSync(directory)].map(({ name }) => name);
    return new Map(
      names.map((name) => [`./${name}`, Deno.readTextFileSync(`${directory}/${name}`)]),
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

const files = await bundle();
const core = load(files, "./mod.js");
const coreBytes = await gzippedBytes(files, core);
console.log(`Core: ${coreBytes} of ${CORE_BUDGET_BYTES} bytes`);

const onDemand = new Set(
  [...files.keys()].flatMap((file) => importsOf(files, file, DYNAMIC_IMPORT)),
);
for (const file of [...onDemand].toSorted()) {
  const added = load(files, file).difference(core);
  const name = file.replace(/^\.\/(.*)-\w+\.js$/, "$1");
  console.log(`On demand: ${name}, ${await gzippedBytes(files, added)} bytes`);
}
if (coreBytes > CORE_BUDGET_BYTES) Deno.exitCode = 1;
