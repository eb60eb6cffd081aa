import { fileURLToPath } from "node:url";
import config from "../../deno.json" with { type: "json" };
import { environmentWithoutHpcai } from "../environment.ts";

const ROOT = new URL("../../", import.meta.url);

/** The tasks that run an example. */
export type ExampleTask = "demo" | "example" | "example:save";

/** Where and how a task runs. */
export interface RunTaskOptions {
  /** The working directory. Default: the repository. */
  readonly cwd?: string;
  /** Environment variables in addition to those of this process, without its `HPCAI_…`. */
  readonly env?: Readonly<Record<string, string>>;
  /** A command that runs the command of the task, such as one that provides a terminal. */
  readonly within?: readonly string[];
}

/** The output and the exit code of a program. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a task to its end with exactly the permissions that deno.json grants. */
export async function runTask(
  task: ExampleTask,
  args: readonly string[] = [],
  options: RunTaskOptions = {},
): Promise<Outcome> {
  const { code, stdout, stderr } = await taskCommand(task, args, options).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** The command of a task, with absolute paths of programs, so that it runs in any directory. */
export function taskCommand(
  task: ExampleTask,
  args: readonly string[] = [],
  { cwd = fileURLToPath(ROOT), env = {}, within = [] }: RunTaskOptions = {},
): Deno.Command {
  const [, ...words] = [...config.tasks[task].command.split(" "), ...args];
  const absolute = words.map((word) =>
    word.startsWith("examples/") ? fileURLToPath(new URL(word, ROOT)) : word
  );
  const [command = Deno.execPath(), ...rest] = [...within, Deno.execPath(), ...absolute];
  return new Deno.Command(command, {
    args: rest,
    cwd,
    clearEnv: true,
    env: { ...environmentWithoutHpcai(), ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}
