/** Runs the sessions of the README and compares their output. */
import { assert, assertEquals } from "@std/assert";
import { cliCommand, terminalEnvironment } from "./cli_process.ts";

const README = await Deno.readTextFile(new URL("../../README.md", import.meta.url));

const sessions = [...README.matchAll(/^```console\n\$ hpcai-rx (.*)\n([^]*?)^```$/gm)];

Deno.test("README.md has sessions of hpcai-rx", () => {
  assert(sessions.length >= 5);
});

for (const [, args = "", expected = ""] of sessions) {
  Deno.test(`README.md shows the output of: hpcai-rx ${args}`, async () => {
    const directory = await Deno.makeTempDir();
    try {
      // Both streams combined, as a terminal shows them.
      const session = new Deno.Command("bash", {
        args: ["-c", '"$@" 2>&1', "bash", ...cliCommand(...args.split(" "))],
        clearEnv: true,
        cwd: directory,
        env: terminalEnvironment(),
        stdin: "null",
      });
      assertEquals(new TextDecoder().decode((await session.output()).stdout), expected);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}
