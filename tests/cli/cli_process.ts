import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(new URL("../../src/cli/mod.ts", import.meta.url));
const PSEUDO_TERMINAL = fileURLToPath(new URL("./pseudo_terminal.py", import.meta.url));

/** The command that runs the command line in a process of its own. */
export function cliCommand(...args: string[]): [string, ...string[]] {
  const permissions = ["env", "net", "read", "write"].map((name) => `--allow-${name}`);
  return [Deno.execPath(), "run", "--no-prompt", ...permissions, CLI, ...args];
}

/** What a terminal got, and how the program ended. */
export interface Session {
  readonly output: string;
  readonly code: number;
}

/**
 * Runs the command line in a pseudo-terminal. Each step waits for a text, then types another, where
 * `\x03` is Ctrl-C and `<SIGTERM>` a signal.
 */
export async function inTerminal(
  args: readonly string[],
  { env = {}, steps = [] }: {
    readonly env?: Readonly<Record<string, string>>;
    readonly steps?: readonly (readonly [until: string, send: string])[];
  } = {},
): Promise<Session> {
  const python = new Deno.Command("python3", {
    args: [PSEUDO_TERMINAL],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const order = { command: cliCommand(...args), env: { ...environment(), ...env }, steps };
  const writer = python.stdin.getWriter();
  await writer.write(new TextEncoder().encode(`${JSON.stringify(order)}\n`));
  await writer.close();
  const { output, code, stepsLeft } = JSON.parse(await new Response(python.stdout).text());
  await python.status;
  if (stepsLeft.length > 0) throw new Error(`Never came: ${stepsLeft[0]}\n${output}`);
  return { output: output.replaceAll("\r\n", "\n"), code };
}

/** This process's environment without HPC-AI's variables, in a terminal with colours. */
export function environment(): Record<string, string> {
  const own = Object.entries(Deno.env.toObject());
  return {
    ...Object.fromEntries(
      own.filter(([name]) => !name.startsWith("HPCAI_") && name !== "NO_COLOR"),
    ),
    TERM: "xterm-256color",
  };
}
