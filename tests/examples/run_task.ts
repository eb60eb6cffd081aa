import { fileURLToPath } from "node:url";
import config from "../../deno.json" with { type: "json" };

const ROOT = new URL("../../", import.meta.url);

/** How to run a task of deno.json. */
export interface RunTaskOptions {
  /** Default: the repository. */
  readonly cwd?: string;
  /** Set besides what this process has, of which everything of HPC-AI is left out. */
  readonly env?: Readonly<Record<string, string>>;
  /** Network permissions in addition to the task's. */
  readonly allowNet?: string;
  /** A command that runs the task's, such as one that gives it a terminal. */
  readonly within?: readonly string[];
}

/** What a program printed, and how it ended. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a task to its end, with the very permissions that deno.json gives it. */
export async function runTask(
  task: "demo" | "example" | "example:save",
  args: readonly string[] = [],
  options: RunTaskOptions = {},
): Promise<Outcome> {
  const { code, stdout, stderr } = await taskCommand(task, args, options).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** The command of a task: paths of programs are made absolute, so that any directory will do. */
export function taskCommand(
  task: "demo" | "example" | "example:save",
  args: readonly string[] = [],
  { cwd = fileURLToPath(ROOT), env = {}, allowNet, within = [] }: RunTaskOptions = {},
): Deno.Command {
  const [, ...words] = [...config.tasks[task].command.split(" "), ...args];
  const own = words.map((word) =>
    word.startsWith("examples/")
      ? fileURLToPath(new URL(word, ROOT))
      : allowNet !== undefined && word.startsWith("--allow-net=")
      ? `${word},${allowNet}`
      : word
  );
  const [command = Deno.execPath(), ...rest] = [...within, Deno.execPath(), ...own];
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

function environmentWithoutHpcai(): Record<string, string> {
  const all = Object.entries(Deno.env.toObject());
  return Object.fromEntries(all.filter(([name]) => !name.startsWith("HPCAI_")));
}
