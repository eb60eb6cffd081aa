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
  readonly exports: Readonly<Record<string, { readonly default: string }>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

const ROOT = new URL("../", import.meta.url);

/**
 * What npm is told beyond that manifest. RxJS becomes a peer, as in Angular's own packages, since its
 * types are in the public API: an app keeps its one copy of it, or is told that it does not fit.
 */
export function npmManifest(packed: PackedManifest): Record<string, unknown> {
  const { rxjs, ...dependencies } = packed.dependencies;
  const cli = packed.exports["./cli"]?.default;
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
    ...(cli === undefined ? {} : { bin: { "hpcai-rx": cli } }),
    dependencies,
    peerDependencies: { rxjs },
  };
}

/** A module as a program of Node's: as of Deno 2.9.6 `deno pack` repeats the line that says so. */
export function nodeProgram(text: string): string {
  return `#!/usr/bin/env node\n${text.replace(/^(?:#!.*\n)*/, "")}`;
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
  const cli = packedManifest.exports["./cli"];
  if (cli !== undefined) {
    const program = `${directory}/package/${cli.default}`;
    await Deno.writeTextFile(program, nodeProgram(await Deno.readTextFile(program)));
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
