/**
 * The command `hpcai-rx` for training runs and checkpoints. It runs if this is the main module;
 * {@linkcode main} runs it from a program.
 *
 * ```sh
 * deno run --allow-env --allow-net --allow-read --allow-write jsr:@hpcai/rx/cli --demo run list
 * ```
 *
 * @module
 */

import { CommanderError } from "commander";
import process from "node:process";
import { isErrno } from "../fs/errno.ts";
import { createTerminal, type GlobalOptions } from "./command.ts";
import { describeCauses, EXIT_CODES, toFailure } from "./failure.ts";
import type { CliHost } from "./host.ts";
import { createProgram } from "./program.ts";

export type { CliHost, StopSignal } from "./host.ts";

/**
 * Runs the command.
 *
 * @param args The arguments, without the name of the program.
 * @param host The streams, the environment and the signals. Default: this process.
 * @returns The exit code: 0 success, 1 failure, 2 usage error, 3 authentication, 4 not found,
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
    // Never removed, since Node reports a closed pipe only after the command has ended.
    if (!stream.listeners("error").includes(ignore)) stream.on("error", ignore);
  }
  try {
    // `deno task cli -- …` passes the separator on.
    await program.parseAsync(args[0] === "--" ? args.slice(1) : args, { from: "user" });
    return EXIT_CODES.success;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_CODES.usage;
    // The reader has closed the pipe, as `head` does.
    if (isErrno(error, "EPIPE")) return EXIT_CODES.success;
    const options = program.opts<Partial<GlobalOptions>>();
    const terminal = createTerminal(host, options);
    const failure = toFailure(error);
    if (failure.exitCode >= EXIT_CODES.interrupted) terminal.show(failure.message);
    else terminal.fail(failure);
    if (options.debug) describeCauses(error).forEach((line) => terminal.debug(line));
    return failure.exitCode;
  }
}

/** Ignores the event, since the write itself rejects with the error. */
function ignore(): void {}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
