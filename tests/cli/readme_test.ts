/** The README's sessions with the command line, run again: they show what really happens. */
import { assert, assertEquals } from "@std/assert";
import { cliCommand, environment } from "./cli_process.ts";

const README = await Deno.readTextFile(new URL("../../README.md", import.meta.url));

const sessions = [...README.matchAll(/^```console\n\$ hpcai-rx (.*)\n([^]*?)^```$/gm)];

Deno.test("the README shows sessions with the command line", () => {
  assert(sessions.length >= 5);
});

for (const [, args = "", shown = ""] of sessions) {
  Deno.test(`the README shows what is written by: hpcai-rx ${args}`, async () => {
    const directory = await Deno.makeTempDir();
    try {
      // Both streams in one, as a terminal shows them.
      const session = new Deno.Command("bash", {
        args: ["-c", '"$@" 2>&1', "bash", ...cliCommand(...args.split(" "))],
        clearEnv: true,
        cwd: directory,
        env: environment(),
        stdin: "null",
      });
      assertEquals(new TextDecoder().decode((await session.output()).stdout), shown);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}
