/**
 * The first step of `deno task example:angular`: installs the dependencies of the Angular example,
 * the npm package of this repository among them, and builds the app.
 */
import { buildNpm } from "./build_npm.ts";

const APP = new URL("../examples/angular/", import.meta.url);

/**
 * Installs the dependencies of the app without changing its lock file. Angular's CLI needs a newer Node
 * than this package, which the npm package `node` contains; npm itself runs on the installed one.
 */
export async function installApp(): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.copyFile(await buildNpm(directory), new URL("hpcai-rx.tgz", APP));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
  // npm does not replace an installed package by another one of the same version.
  await Deno.remove(new URL("node_modules/@hpcai", APP), { recursive: true }).catch(
    (error: unknown) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    },
  );
  await npm("install", "--no-save", "--loglevel=error");
}

/** Runs a script of the app's package.json. */
export async function npmRun(script: string, ...args: string[]): Promise<void> {
  await npm("run", "--silent", script, "--", ...args);
}

async function npm(...args: string[]): Promise<void> {
  const { success } = await new Deno.Command("npm", { args, cwd: APP }).spawn().status;
  if (!success) throw new Error(`Failed: npm ${args.join(" ")}`);
}

if (import.meta.main) {
  await installApp();
  await npmRun("build");
}
