/**
 * Measures what @hpcai/rx adds to a production build: it builds the app with and without the package.
 * Both builds exclude RxJS, which an Angular app has anyway.
 */
import { gzipSync } from "node:zlib";
import { npmRun } from "../../tasks/angular.ts";

/** The limit for the modules that the browser loads at the start. */
const LIMIT_GZIP_BYTES = 15_000;

const DIST = new URL("dist/", import.meta.url);

/** The part of esbuild's metafile that is read here. */
interface Stats {
  readonly outputs: Readonly<
    Record<string, {
      readonly entryPoint?: string;
      readonly imports: readonly { readonly path: string; readonly kind: string }[];
    }>
  >;
}

interface Size {
  readonly raw: number;
  readonly gzip: number;
}

/** Prints the cost, and returns whether it is within the limit. */
export async function printBundleCost(): Promise<boolean> {
  await npmRun("build", "--configuration=production,external-rxjs", "--progress=false");
  await npmRun("build", "--configuration=production,external-client", "--progress=false");
  const withClient = await bundleSize("external-rxjs");
  const withoutClient = await bundleSize("external-client");
  const atStart = difference(withClient.initial, withoutClient.initial);
  const onDemand = difference(withClient.lazy, withoutClient.lazy);
  console.log("What @hpcai/rx adds to the Angular app, RxJS apart:");
  console.log(`  at the start: ${toText(atStart)} (limit ${LIMIT_GZIP_BYTES})`);
  console.log(`  when needed:  ${toText(onDemand)}`);
  return atStart.gzip <= LIMIT_GZIP_BYTES;
}

async function bundleSize(build: string): Promise<{ initial: Size; lazy: Size }> {
  const directory = new URL(`${build}/`, DIST);
  const stats: Stats = JSON.parse(
    await Deno.readTextFile(new URL("browser-stats.json", directory)),
  );
  const scripts = Object.keys(stats.outputs).filter((file) => file.endsWith(".js"));
  const entry = scripts.find((file) => stats.outputs[file]?.entryPoint === "src/main.ts");
  if (entry === undefined) throw new Error(`No entry point in the stats of ${build}`);
  const initial = withStaticImports(stats, entry);
  const sizeOf = (files: readonly string[]) =>
    totalSize(files.map((file) => new URL(`browser/${file}`, directory)));
  return {
    initial: await sizeOf([...initial]),
    lazy: await sizeOf(scripts.filter((file) => !initial.has(file))),
  };
}

function withStaticImports(stats: Stats, file: string, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  for (const { path, kind } of stats.outputs[file]?.imports ?? []) {
    if (kind === "import-statement" && path in stats.outputs) withStaticImports(stats, path, found);
  }
  return found;
}

async function totalSize(files: readonly URL[]): Promise<Size> {
  const contents = await Promise.all(files.map((file) => Deno.readFile(file)));
  return {
    raw: contents.reduce((sum, bytes) => sum + bytes.length, 0),
    gzip: contents.reduce((sum, bytes) => sum + gzipSync(bytes).length, 0),
  };
}

function difference(a: Size, b: Size): Size {
  return { raw: a.raw - b.raw, gzip: a.gzip - b.gzip };
}

function toText({ raw, gzip }: Size): string {
  return `${raw} bytes, ${gzip} gzipped`;
}
