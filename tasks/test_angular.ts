/**
 * `deno task test:angular [--screenshots]`: builds the Angular example and runs its unit tests, weighs
 * what this package adds to it, and tries the console out in Chromium. With `--screenshots` it takes
 * those for the README anew.
 */
import { printBundleCost } from "../examples/angular/bundle_cost.ts";
import { installApp, npmRun } from "./angular.ts";
import { stdFlags } from "./std_source.ts";

const TESTS = "examples/angular/tests/";

async function testInBrowser(): Promise<boolean> {
  const directory = await Deno.makeTempDir();
  try {
    const { flags, args } = await stdFlags(Deno.args, directory);
    // So that a request's signal aborts when its client goes, and only then.
    const own = ["--unstable-no-legacy-abort", "--allow-all"];
    const test = new Deno.Command(Deno.execPath(), {
      args: ["test", ...flags, ...own, TESTS, "--", ...args],
    });
    return (await test.spawn().status).success;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

await installApp();
await npmRun("test");
await npmRun("build");
const isLight = await printBundleCost();
const works = await testInBrowser();
if (!isLight || !works) Deno.exitCode = 1;
