/**
 * The command `hpcai-rx`: training runs and checkpoints on the command line. It runs when this is the
 * main module; {@linkcode main} runs it from a program.
 *
 * ```sh
 * deno run --allow-env --allow-net --allow-read --allow-write jsr:@hpcai/rx/cli --demo run list
 * ```
 *
 * @module
 */

import { CommanderError } from "commander";
import process from "node:process";
import { type GlobalOptions, terminalOf } from "./command.ts";
import { EXIT_CODES, explain, toFailure } from "./failure.ts";
import type { CliHost } from "./host.ts";
import { createProgram } from "./program.ts";

export type { CliHost, StopSignal } from "./host.ts";

/**
 * Runs the command line.
 *
 * @param args The arguments, without the program's name.
 * @param host What to run in: streams, environment, signals. Default: this process.
 * @returns The exit code: 0 success, 1 failure, 2 wrong usage, 3 authentication, 4 not found,
 * 5 network, 130 interrupted, 143 terminated. Never rejects.
 *
 * @example
 * ```ts
 * import { main } from "@hpcai/rx/cli";
 * import { assertEquals } from "@std/assert";
 *
 * const exitCode = await main(["--demo", "--format", "json", "run", "list", "--limit", "1"]);
 * assertEquals(exitCode, 0);
 * ```
 */
export async function main(args: readonly string[], host: CliHost = process): Promise<number> {
  const program = createProgram(host);
  for (const stream of [host.stdout, host.stderr]) {
    // For good: Node tells of a closed pipe only after the help is written and all is over.
    if (!stream.listeners("error").includes(ignore)) stream.on("error", ignore);
  }
  try {
    // `deno task cli -- …` hands its own separator on.
    await program.parseAsync(args[0] === "--" ? args.slice(1) : args, { from: "user" });
    return EXIT_CODES.success;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_CODES.usage;
    if (isClosedPipe(error)) return EXIT_CODES.success;
    const options = program.opts<Partial<GlobalOptions>>();
    const terminal = terminalOf(host, options);
    const { message, advice, exitCode } = toFailure(error);
    if (exitCode >= EXIT_CODES.interrupted) terminal.show(`${message} ${advice}`.trim());
    else terminal.fail(message, advice);
    if (options.debug) explain(error).forEach((line) => terminal.debug(line));
    return exitCode;
  }
}

/** What fails to be written is known from the write itself. */
function ignore(): void {}

/** Whether the reader has had enough, as `head` has. */
function isClosedPipe(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EPIPE";
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
