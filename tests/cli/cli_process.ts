import { fileURLToPath } from "node:url";
import { environmentWithoutHpcai } from "../environment.ts";

const CLI = fileURLToPath(new URL("../../src/cli/mod.ts", import.meta.url));
const PSEUDO_TERMINAL = fileURLToPath(new URL("./pseudo_terminal.py", import.meta.url));

/** Makes the command that runs the command line in its own process. */
export function cliCommand(...args: string[]): [string, ...string[]] {
  const permissions = ["env", "net", "read", "write"].map((name) => `--allow-${name}`);
  return [Deno.execPath(), "run", "--no-prompt", ...permissions, CLI, ...args];
}

/** The output of a terminal and the exit code of the command. */
export interface TerminalOutcome {
  readonly output: string;
  readonly code: number;
}

/**
 * Runs the command line in a pseudo-terminal. Each step waits for a text, then types another: `\x03`
 * is Ctrl-C, `<SIGTERM>` sends a signal.
 */
export async function runInTerminal(
  args: readonly string[],
  { env = {}, steps = [] }: {
    readonly env?: Readonly<Record<string, string>>;
    readonly steps?: readonly (readonly [until: string, send: string])[];
  } = {},
): Promise<TerminalOutcome> {
  const python = new Deno.Command("python3", {
    args: [PSEUDO_TERMINAL],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const job = { command: cliCommand(...args), env: { ...terminalEnvironment(), ...env }, steps };
  const writer = python.stdin.getWriter();
  await writer.write(new TextEncoder().encode(`${JSON.stringify(job)}\n`));
  await writer.close();
  const { output, code, stepsLeft } = JSON.parse(await new Response(python.stdout).text());
  await python.status;
  if (stepsLeft.length > 0) throw new Error(`The terminal never showed ${stepsLeft[0]}\n${output}`);
  return { output: output.replaceAll("\r\n", "\n"), code };
}

/** Returns this process's environment without HPC-AI's variables, for a terminal with colors. */
export function terminalEnvironment(): Record<string, string> {
  const { NO_COLOR: _, ...variables } = environmentWithoutHpcai();
  return { ...variables, TERM: "xterm-256color" };
}
