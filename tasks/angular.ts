/**
 * `deno task example:angular` begins with this: installs what the Angular example needs, this package
 * among it as npm would have it, and builds the app.
 */

const ROOT = new URL("../", import.meta.url);
const APP = new URL("examples/angular/", ROOT);

/**
 * Installs by the lock file, which stays as it is. Angular's CLI needs a newer Node than this package
 * does, so the npm package `node` brings one; npm itself runs on the one that is there.
 */
export async function installApp(): Promise<void> {
  const tarball = new URL("hpcai-rx.tgz", APP).pathname;
  await run(ROOT, Deno.execPath(), "pack", "--quiet", "--allow-dirty", "--output", tarball);
  // npm would keep what it once installed under the same version.
  await Deno.remove(new URL("node_modules/@hpcai", APP), { recursive: true }).catch(
    (error: unknown) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    },
  );
  await run(APP, "npm", "install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error");
}

/** Runs a script of the app's package.json. */
export async function npmRun(script: string, ...args: string[]): Promise<void> {
  await run(APP, "npm", "run", "--silent", script, "--", ...args);
}

async function run(cwd: URL, command: string, ...args: string[]): Promise<void> {
  const { success } = await new Deno.Command(command, { args, cwd }).spawn().status;
  if (!success) throw new Error(`Failed: ${command} ${args.join(" ")}`);
}

if (import.meta.main) {
  await installApp();
  await npmRun("build");
}
