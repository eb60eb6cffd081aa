/**
 * `deno task example:angular` begins with this: installs what the Angular example needs, this package
 * among it as npm would have it, and builds the app.
 */
import { buildNpm } from "./build_npm.ts";

const APP = new URL("../examples/angular/", import.meta.url);

/**
 * Installs by the lock file, which stays as it is. Angular's CLI needs a newer Node than this package
 * does, so the npm package `node` brings one; npm itself runs on the one that is there.
 */
export async function installApp(): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.copyFile(await buildNpm(directory), new URL("hpcai-rx.tgz", APP));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
  // npm would keep what it once installed under the same version.
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
