/** `deno task size`: what a browser app downloads for mod.ts, which its users wait for. */

/** Minified and gzipped, without RxJS, which an app that uses this package has anyway. */
const LIMIT_BYTES = 13_000;

const MOD = new URL("../mod.ts", import.meta.url);

/** A static import of one of the bundle's own files; what is imported on demand is not waited for. */
const STATIC_IMPORT = /from"(\.\/[^"]+)"/g;

async function bundle(directory: string): Promise<void> {
  const flags = ["--minify", "--platform=browser", "--external=rxjs", "--code-splitting"];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", ...flags, `--outdir=${directory}`, MOD.href],
  }).output();
  // Only on failure: its progress lines have nothing to tell here.
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

async function gzippedBytes(text: string): Promise<number> {
  const gzipped = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return (await new Response(gzipped).arrayBuffer()).byteLength;
}

async function sum(sizes: readonly Promise<number>[]): Promise<number> {
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size);
}

/** The names of a file and of all that it imports statically. */
async function withImports(directory: string, file: string, found = new Set<string>()) {
  if (found.has(file)) return found;
  found.add(file);
  const text = await Deno.readTextFile(`${directory}/${file}`);
  for (const [, imported = ""] of text.matchAll(STATIC_IMPORT)) {
    await withImports(directory, imported, found);
  }
  return found;
}

const directory = await Deno.makeTempDir();
try {
  await bundle(directory);
  const waitedFor = await withImports(directory, "./mod.js");
  const core: string[] = [];
  const onDemand: string[] = [];
  for await (const { name } of Deno.readDir(directory)) {
    const text = await Deno.readTextFile(`${directory}/${name}`);
    (waitedFor.has(`./${name}`) ? core : onDemand).push(text);
  }
  const bytes = await gzippedBytes(core.join(""));
  const inPieces = await sum(core.map(gzippedBytes));
  console.log(
    `mod.ts for a browser: ${bytes} of ${LIMIT_BYTES} bytes, minified and gzipped, as one file; ` +
      `${inPieces} in the ${core.length} that esbuild splits it into. ` +
      `On demand: ${await sum(onDemand.map(gzippedBytes))} more.`,
  );
  if (bytes > LIMIT_BYTES) Deno.exitCode = 1;
} finally {
  await Deno.remove(directory, { recursive: true });
}
