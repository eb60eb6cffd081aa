/** Runs `saver.ts` with `steps.c` preloaded, in Deno and in Node. */
import { setTimeout as delay } from "node:timers/promises";
import type { SaverOptions } from "./saver.ts";

/** The runtimes of the saver. */
export const RUNTIMES = ["deno", "node"] as const;

/** The reason why the steps of a process cannot be counted here, or `undefined`. */
export function unsupportedReason(): string | undefined {
  if (Deno.build.os !== "linux") return "needs Linux";
  const { success } = new Deno.Command("bash", { args: ["-c", "command -v gcc"] }).outputSync();
  return success ? undefined : "needs gcc";
}

/** What happens at which step. */
export interface StepAction {
  /** The number of the step, from 1 on. */
  readonly at: number;
  /** What happens right before the step; a number is the errno with which it fails. */
  readonly do: "kill" | "stop" | number;
  /** The calls that count. Default: all that change files. */
  readonly calls?: string;
  /** Whether the steps after it fail too. */
  readonly isRepeated?: boolean;
}

/** The outcome of a saver. */
export interface SaverOutcome {
  readonly code: number;
  readonly signal: Deno.Signal | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running saver. */
export interface RunningSaver {
  /** Resolves once it is stopped, or has ended. */
  whenStopped(): Promise<void>;
  /** Continues it. */
  continue(): void;
  readonly outcome: Promise<SaverOutcome>;
  /** The names of the steps so far. */
  steps(): string[];
}

/** Runs savers whose steps are counted. */
export class StepRunner {
  readonly #directory: string;
  readonly #running = new Set<Deno.ChildProcess>();
  #runs = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Compiles `steps.c` and bundles the saver. */
  async prepare(): Promise<void> {
    const source = new URL("steps.c", import.meta.url).pathname;
    const saver = new URL("saver.ts", import.meta.url).pathname;
    const script =
      `gcc -Wall -shared -fPIC -O1 -o "$1/steps.so" "$2" -ldl -lpthread && "$4" bundle --quiet --platform=deno -o "$1/saver.mjs" "$3"`;
    const { success, stderr } = await new Deno.Command("bash", {
      args: ["-c", script, "bash", this.#directory, source, saver, Deno.execPath()],
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
  }

  /** Starts a saver that may write to a directory, whose steps there are counted. */
  start(
    runtime: typeof RUNTIMES[number],
    directory: string,
    options: SaverOptions,
    action?: StepAction,
  ): RunningSaver {
    const log = `${this.#directory}/steps-${++this.#runs}.log`;
    const variables: Record<string, string | undefined> = {
      LD_PRELOAD: `${this.#directory}/steps.so`,
      STEPS_DIRECTORY: directory,
      STEPS_LOG: log,
      STEPS_AT: action && String(action.at),
      STEPS_DO: action && String(action.do),
      STEPS_CALLS: action?.calls,
      STEPS_REPEAT: action?.isRepeated ? "1" : undefined,
    };
    const program = runtime === "node" ? ["node"] : [
      Deno.execPath(),
      "run",
      "--no-prompt",
      "--allow-net=127.0.0.1",
      `--allow-read=${directory}`,
      `--allow-write=${directory}`,
    ];
    // Through env, since Deno refuses to start a process with LD_PRELOAD.
    const child = new Deno.Command("bash", {
      args: [
        "-c",
        'exec env "$@"',
        "bash",
        ...Object.entries(variables).flatMap(([name, value]) =>
          value === undefined ? [] : [`${name}=${value}`]
        ),
        ...program,
        `${this.#directory}/saver.mjs`,
        JSON.stringify(options),
      ],
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#running.add(child);
    const outcome = child.output().then(({ code, signal, stdout, stderr }) => {
      this.#running.delete(child);
      const decoder = new TextDecoder();
      return { code, signal, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
    });
    const steps = () => {
      try {
        return Deno.readTextFileSync(log).trim().split("\n");
      } catch {
        return [];
      }
    };
    const whenStopped = async () => {
      while (this.#running.has(child) && steps().length < (action?.at ?? Infinity)) await delay(5);
      // The line comes right before the signal.
      await delay(20);
    };
    const continueSaver = () => {
      if (this.#running.has(child)) child.kill("SIGCONT");
    };
    return { whenStopped, continue: continueSaver, outcome, steps };
  }

  /** Kills the savers that a failed test leaves. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#running) child.kill("SIGKILL");
    while (this.#running.size > 0) await delay(5);
  }
}
