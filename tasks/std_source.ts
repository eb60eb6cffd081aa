/**
 * Selects the source of `@std/*`: JSR, as in deno.json; the modules in tests/std/, where JSR cannot be
 * reached; or a checkout of denoland/std.
 */
import { pathToFileURL } from "node:url";
import config from "../deno.json" with { type: "json" };

const ROOT = new URL("../", import.meta.url);
const LOCAL = new URL("tests/std/", ROOT);

const JSR_TIMEOUT_MS = 10_000;

/**
 * Returns the flags with which a `deno` subcommand uses the selected source of `@std/*`, and the other
 * arguments. A leading `--jsr`, `--local` or `--std DIRECTORY` selects the source, else whether JSR can be
 * reached. Prints the source.
 */
export async function stdFlags(
  args: readonly string[],
  directory: string,
): Promise<{ flags: string[]; args: string[] }> {
  const [choice, ...others] = args;
  switch (choice) {
    case "--jsr":
      return { flags: await jsrFlags("selected", directory), args: others };
    case "--local":
      return { flags: await localFlags("selected", directory), args: others };
    case "--std": {
      const [checkout, ...rest] = others;
      if (checkout === undefined) {
        throw new Error("--std needs the path of a denoland/std checkout");
      }
      console.log(`@std/* comes from ${checkout}.`);
      const modules = await checkoutModules(pathToFileURL(`${checkout}/`));
      return { flags: await mapFlags(modules, directory), args: rest };
    }
    default: {
      const flags = await canReachJsr()
        ? await jsrFlags("it can be reached", directory)
        : await localFlags("JSR cannot be reached", directory);
      return { flags, args: [...args] };
    }
  }
}

async function canReachJsr(): Promise<boolean> {
  const probe = new Deno.Command(Deno.execPath(), {
    args: ["info", "--no-lock", config.imports["@std/assert"]],
    stdout: "null",
    stderr: "null",
    signal: AbortSignal.timeout(JSR_TIMEOUT_MS),
  });
  return (await probe.output()).success;
}

async function jsrFlags(reason: string, directory: string): Promise<string[]> {
  console.log(`@std/* comes from JSR: ${reason}.`);
  // deno.lock pins npm packages only, so that it is the same on machines with and without JSR. Packages
  // of JSR are added to a copy.
  await Deno.copyFile(new URL("deno.lock", ROOT), `${directory}/deno.lock`);
  return [`--lock=${directory}/deno.lock`];
}

async function localFlags(reason: string, directory: string): Promise<string[]> {
  console.log(`@std/* comes from tests/std/: ${reason}.`);
  return await mapFlags(await localModules(LOCAL), directory);
}

/** The addresses of modules by specifier, such as `@std/testing/time`. */
type Modules = Readonly<Record<string, string>>;

async function mapFlags(std: Modules, directory: string): Promise<string[]> {
  const imports = toImportMap(config.imports, std, ROOT);
  await Deno.writeTextFile(`${directory}/import_map.json`, JSON.stringify({ imports }));
  return [`--import-map=${directory}/import_map.json`];
}

/** Finds the modules below a directory: `assert.ts` is `@std/assert`. */
async function localModules(directory: URL, prefix = "@std/"): Promise<Modules> {
  const modules: Record<string, string> = {};
  for await (const { name, isDirectory } of Deno.readDir(directory)) {
    const url = new URL(name, directory);
    if (!isDirectory) modules[`${prefix}${name.replace(/\.ts$/, "")}`] = url.href;
    else Object.assign(modules, await localModules(new URL(`${url}/`), `${prefix}${name}/`));
  }
  return modules;
}

/**
 * Finds the exports of all packages in a checkout of denoland/std. The packages import each other by
 * these specifiers too, so that all of `@std` comes from the checkout.
 */
export async function checkoutModules(checkout: URL): Promise<Modules> {
  const modules: Record<string, string> = {};
  for await (const { name: folder, isDirectory } of Deno.readDir(checkout)) {
    const packageUrl = new URL(`${folder}/`, checkout);
    const manifest = isDirectory
      ? await readIfPresent(new URL("deno.json", packageUrl))
      : undefined;
    if (manifest === undefined) continue;
    const { name, exports }: PackageManifest = JSON.parse(manifest);
    if (name === undefined || exports === undefined) continue;
    const entries = typeof exports === "string" ? { ".": exports } : exports;
    for (const [entry, path] of Object.entries(entries)) {
      modules[name + entry.slice(1)] = new URL(path, packageUrl).href;
    }
  }
  return modules;
}

interface PackageManifest {
  readonly name?: string;
  readonly exports?: string | Readonly<Record<string, string>>;
}

async function readIfPresent(file: URL): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/**
 * Converts the imports of deno.json to those of an import map: the subpaths of a package have an entry of
 * their own, addresses are absolute, and `@std/*` comes from `std`.
 */
export function toImportMap(
  imports: Readonly<Record<string, string>>,
  std: Modules,
  root: URL,
): Record<string, string> {
  const declared = Object.entries(imports)
    .filter(([name]) => !name.startsWith("@std/"))
    .flatMap(([name, address]) =>
      address.startsWith("npm:")
        ? [[name, address], [`${name}/`, `${address.replace("npm:", "npm:/")}/`]]
        : [[name, new URL(address, root).href]]
    );
  return { ...Object.fromEntries(declared), ...std };
}
