/**
 * `deno task build:npm`: the npm package, in npm/. `deno pack` turns the sources into JavaScript and
 * declarations; what it cannot say about them is added here, and npm packs the result.
 */
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { createGunzip } from "node:zlib";
import { unpackTar } from "modern-tar/fs";

/** The parts that matter here of the manifest that `deno pack` writes. */
export interface PackedManifest {
  readonly exports: Readonly<Record<string, unknown>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

const ROOT = new URL("../", import.meta.url);

/** The program of a package that has the entry `./cli`, without its extension. */
const PROGRAM = "src/cli/bin";

/**
 * What npm is told beyond that manifest. RxJS becomes a peer, as in Angular's own packages, since its
 * types are in the public API: an app keeps its one copy of it, or is told that it does not fit.
 */
export function npmManifest(packed: PackedManifest): Record<string, unknown> {
  const { rxjs, ...dependencies } = packed.dependencies;
  return {
    ...packed,
    description: "A reactive (RxJS) client for the HPC-AI fine-tuning REST API",
    keywords: [
      "hpc-ai",
      "hpcai",
      "fine-tuning",
      "lora",
      "checkpoints",
      "rxjs",
      "angular",
      "client",
    ],
    sideEffects: false,
    engines: { node: ">=20" },
    ...(hasProgram(packed) ? { bin: { "hpcai-rx": `./${PROGRAM}.js` } } : {}),
    dependencies,
    peerDependencies: { rxjs },
  };
}

function hasProgram({ exports }: PackedManifest): boolean {
  return "./cli" in exports;
}

/**
 * The program in JavaScript. `deno pack` leaves it as it is, since no entry reaches it: a shebang and
 * statements without types, which import what the package has as `.js`.
 */
export function nodeProgram(source: string): string {
  return source.replaceAll(/(from "\.[^"]*)\.ts"/g, '$1.js"');
}

/** Builds the package in a directory that is there, and gives its tarball's path. */
export async function buildNpm(directory: string): Promise<string> {
  const packed = `${directory}/packed.tgz`;
  // No source maps, since they would name this machine's paths; what is packed reads like its source.
  const flags = ["--quiet", "--allow-dirty", "--no-source-maps", "--output", packed];
  await run(Deno.execPath(), "pack", ...flags);
  // By default it asks how many processors there are, which takes a permission.
  const unpack = unpackTar(directory, { concurrency: 8 });
  await pipeline(createReadStream(packed), createGunzip(), unpack);
  await Deno.remove(packed);

  const manifestPath = `${directory}/package/package.json`;
  const packedManifest: PackedManifest = JSON.parse(await Deno.readTextFile(manifestPath));
  const manifest = npmManifest(packedManifest);
  await Deno.writeTextFile(manifestPath, `${JSON.stringify(manifest, null, 2)}\n`);
  if (hasProgram(packedManifest)) {
    const program = `${directory}/package/${PROGRAM}`;
    const source = await Deno.readTextFile(`${program}.ts`);
    await Deno.writeTextFile(`${program}.js`, nodeProgram(source));
    await Deno.remove(`${program}.ts`);
  }
  const name = await run("npm", "pack", `${directory}/package`, "--pack-destination", directory);
  return `${directory}/${name.trim()}`;
}

async function run(command: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args, cwd: ROOT }).output();
  if (success) return new TextDecoder().decode(stdout);
  throw new Error(`Failed: ${command} ${args.join(" ")}\n${new TextDecoder().decode(stderr)}`);
}

if (import.meta.main) {
  const directory = fileURLToPath(new URL("npm", ROOT));
  await Deno.remove(directory, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  await Deno.mkdir(directory);
  console.log(await buildNpm(directory));
}
