/**
 * `deno task check [--jsr | --local | --std DIRECTORY]`: type-checks everything, the examples in
 * docstrings too.
 */
import { stdFlags } from "./std_source.ts";

const directory = await Deno.makeTempDir();
try {
  const { flags, args } = await stdFlags(Deno.args, directory);
  const check = new Deno.Command(Deno.execPath(), {
    args: ["check", "--quiet", ...flags, "--doc", ".", ...args],
  });
  Deno.exitCode = (await check.spawn().status).code;
} finally {
  await Deno.remove(directory, { recursive: true });
}
