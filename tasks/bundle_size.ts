/** `deno task size`: what a browser app downloads for mod.ts, which its users wait for. */

/** Minified and gzipped, without RxJS, which an app that uses this package has anyway. */
const LIMIT_BYTES = 15_000;

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

/** The size of a file and of all that it imports statically. */
async function sizeWithImports(directory: string, file: string): Promise<number> {
  const text = await Deno.readTextFile(`${directory}/${file}`);
  const sizes = [...text.matchAll(STATIC_IMPORT)].map(([, imported = ""]) =>
    sizeWithImports(directory, imported)
  );
  return (await Promise.all([gzippedBytes(text), ...sizes])).reduce((sum, size) => sum + size);
}

const directory = await Deno.makeTempDir();
try {
  await bundle(directory);
  const bytes = await sizeWithImports(directory, "mod.js");
  console.log(`mod.ts for a browser: ${bytes} of ${LIMIT_BYTES} bytes, minified and gzipped.`);
  if (bytes > LIMIT_BYTES) Deno.exitCode = 1;
} finally {
  await Deno.remove(directory, { recursive: true });
}
