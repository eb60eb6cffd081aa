/**
 * `deno task test:angular [--screenshots]`: builds the Angular example, runs its unit tests, weighs what
 * this package adds to it, and tests the console in Chromium. With `--screenshots` it replaces those of
 * its README.
 */
import { printBundleCost } from "../examples/angular/bundle_cost.ts";
import { installApp, npmRun } from "./angular.ts";
import { stdFlags } from "./std_source.ts";

const TESTS = "examples/angular/tests/";

async function testInBrowser(): Promise<boolean> {
  const directory = await Deno.makeTempDir();
  try {
    const { flags, args } = await stdFlags(Deno.args, directory);
    const test = new Deno.Command(Deno.execPath(), {
      args: [
        "test",
        ...flags,
        "--preload=tests/time_limit.ts",
        // A request's signal aborts when its client disconnects, and only then.
        "--unstable-no-legacy-abort",
        "--allow-all",
        TESTS,
        "--",
        ...args,
      ],
    });
    return (await test.spawn().status).success;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Writes the README's component into the app, where readme.spec.ts tests it. */
async function extractReadmeComponent(): Promise<void> {
  const readme = await Deno.readTextFile(new URL("../README.md", import.meta.url));
  const [, component] = /```ts ignore\n(import \{ Component[^]*?)```/.exec(readme) ?? [];
  if (component === undefined) throw new Error("README.md has no Angular component");
  const path = new URL("../examples/angular/src/app/readme-component.ts", import.meta.url);
  await Deno.writeTextFile(path, component);
}

await installApp();
await extractReadmeComponent();
await npmRun("test");
await npmRun("build");
const isLight = await printBundleCost();
const isWorking = await testInBrowser();
if (!isLight || !isWorking) Deno.exitCode = 1;
