/** `deno task size`: what a browser app downloads for mod.ts, which its users wait for. */

/** Minified and gzipped, without RxJS, which an app that uses this package has anyway. */
const LIMIT_BYTES = 15_000;

const MOD = new URL("../mod.ts", import.meta.url);

async function bundle(path: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["bundle", "--minify", "--platform=browser", "--external=rxjs", `--output=${path}`],
      MOD.href,
    ],
  }).output();
  // Only on failure: its progress lines have nothing to tell here.
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

async function gzippedBytes(path: string): Promise<number> {
  const { readable } = await Deno.open(path);
  const gzipped = readable.pipeThrough(new CompressionStream("gzip"));
  return (await new Response(gzipped).arrayBuffer()).byteLength;
}

const path = await Deno.makeTempFile({ suffix: ".js" });
try {
  await bundle(path);
  const bytes = await gzippedBytes(path);
  console.log(`mod.ts for a browser: ${bytes} of ${LIMIT_BYTES} bytes, minified and gzipped.`);
  if (bytes > LIMIT_BYTES) Deno.exitCode = 1;
} finally {
  await Deno.remove(path);
}
