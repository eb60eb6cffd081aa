/**
 * Where tests get `@std/*` from: from JSR, as deno.json declares it, or, where a machine reaches npm
 * but not JSR, from the modules in tests/std/ that back it.
 */
import config from "../deno.json" with { type: "json" };

const ROOT = new URL("../", import.meta.url);
const BACKING = new URL("tests/std/", ROOT);

const JSR_TIMEOUT_MS = 10_000;

/**
 * Takes a leading `--jsr` or `--npm` off the arguments, else finds out which of the two it has to be,
 * says so, and returns the flags that make a `deno` subcommand use it.
 */
export async function stdFlags(
  [choice, ...others]: readonly string[],
  directory: string,
): Promise<{ flags: string[]; args: string[] }> {
  if (choice === "--jsr" || choice === "--npm") {
    return { flags: await flagsFor(choice, "chosen by hand", directory), args: others };
  }
  const flags = await reachesJsr()
    ? await flagsFor("--jsr", "it can be reached", directory)
    : await flagsFor("--npm", "JSR can't be reached", directory);
  return { flags, args: choice === undefined ? [] : [choice, ...others] };
}

async function reachesJsr(): Promise<boolean> {
  const probe = new Deno.Command(Deno.execPath(), {
    args: ["info", "--no-lock", config.imports["@std/assert"]],
    stdout: "null",
    stderr: "null",
    signal: AbortSignal.timeout(JSR_TIMEOUT_MS),
  });
  return (await probe.output()).success;
}

async function flagsFor(
  choice: "--jsr" | "--npm",
  reason: string,
  directory: string,
): Promise<string[]> {
  if (choice === "--jsr") {
    console.log(`@std/* comes from JSR: ${reason}.`);
    // deno.lock pins npm packages only, so that machines with and without JSR agree on it: what JSR
    // adds goes to a copy.
    await Deno.copyFile(new URL("deno.lock", ROOT), `${directory}/deno.lock`);
    return [`--lock=${directory}/deno.lock`];
  }
  console.log(`@std/* comes from npm by way of tests/std/: ${reason}.`);
  const imports = importMap(config.imports, await Array.fromAsync(backingModules(BACKING)), ROOT);
  await Deno.writeTextFile(`${directory}/import_map.json`, JSON.stringify({ imports }));
  return [`--import-map=${directory}/import_map.json`];
}

/** The paths below tests/std/: `assert.ts`, `testing/time.ts`, … */
async function* backingModules(directory: URL, prefix = ""): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(directory)) {
    if (isDirectory) yield* backingModules(new URL(`${name}/`, directory), `${prefix}${name}/`);
    else yield `${prefix}${name}`;
  }
}

/**
 * deno.json's imports in an import map's own terms: a package's subpaths have an entry of their own,
 * addresses are absolute, and `@std/*` is what backs it.
 */
export function importMap(
  imports: Readonly<Record<string, string>>,
  backing: readonly string[],
  root: URL,
): Record<string, string> {
  const declared = Object.entries(imports)
    .filter(([name]) => !name.startsWith("@std/"))
    .flatMap(([name, address]) =>
      address.startsWith("npm:")
        ? [[name, address], [`${name}/`, `${address.replace("npm:", "npm:/")}/`]]
        : [[name, new URL(address, root).href]]
    );
  const backed = backing.map((path) => [
    `@std/${path.replace(/\.ts$/, "")}`,
    new URL(`tests/std/${path}`, root).href,
  ]);
  return Object.fromEntries([...declared, ...backed]);
}
