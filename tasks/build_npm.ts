/**
 * `deno task build:npm`: builds the npm package in npm/. `deno pack` compiles the sources to JavaScript
 * and declarations; this module completes the manifest, and npm packs the result.
 */
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { createGunzip } from "node:zlib";
import { unpackTar } from "modern-tar/fs";

/** The fields of the manifest of `deno pack` that this module reads. */
export interface PackedManifest {
  readonly exports: Readonly<Record<string, unknown>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

const ROOT = new URL("../", import.meta.url);

/** The path of the command, without extension, in a package with the entry `./cli`. */
const PROGRAM = "src/cli/bin";

/**
 * Completes the manifest for npm. RxJS becomes a peer dependency, as in Angular's own packages, since
 * its types are in the public API: an app has one copy of it, and npm reports a version that does not
 * fit.
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
 * Converts the command to JavaScript. `deno pack` copies it unchanged, since no entry imports it: it has
 * a shebang and no types, and imports modules that are `.js` in the package.
 */
export function toNodeProgram(source: string): string {
  return source.replaceAll(/(from "\.[^"]*)\.ts"/g, '$1.js"');
}

/** Builds the package in an existing directory and returns the path of the tarball. */
export async function buildNpm(directory: string): Promise<string> {
  const packed = `${directory}/packed.tgz`;
  // Source maps would contain paths of this machine.
  const flags = ["--quiet", "--allow-dirty", "--no-source-maps", "--output", packed];
  await run(Deno.execPath(), "pack", ...flags);
  // Its default is the number of processors, which Deno needs a permission to read.
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
    await Deno.writeTextFile(`${program}.js`, toNodeProgram(source));
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
