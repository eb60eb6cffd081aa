import type { Command } from "commander";
import { defer, type Observable, take } from "rxjs";
import type { WatchEvent, WatchOptions } from "../listing/watch_event.ts";
import { duration, positiveNumber } from "./arguments.ts";
import type { CommandContext } from "./command.ts";
import { EXIT_CODES, Failure } from "./failure.ts";

/** How something is watched. */
export interface WatchCommandOptions {
  readonly interval?: number;
  readonly initial: boolean;
  readonly limit?: number;
}

/** Adds the options of what watches. */
export function watches(command: Command): Command {
  return command
    .option("--interval <duration>", "how long between two looks (default 10s)", duration)
    .option("--no-initial", "leave out what is there at the beginning")
    .option("--limit <n>", "stop after so many changes", positiveNumber);
}

/** Writes changes as they come, a line each. */
export function watching$<T>(
  { format, output }: CommandContext,
  watch$: (options: WatchOptions) => Observable<WatchEvent<T>>,
  { interval, initial, limit }: WatchCommandOptions,
  describe: (value: T) => string,
): Observable<unknown> {
  return defer(() => {
    if (format === "json") {
      throw new Failure(
        "What is watched has no end, and so no single JSON document.",
        "Pass --format jsonl, a line of JSON for each change.",
        EXIT_CODES.usage,
      );
    }
    return output.lines$(
      watch$({ intervalMs: interval, emitInitial: initial }).pipe(take(limit ?? Infinity)),
      ({ type, value }) => `${type.padEnd("changed".length)}  ${describe(value)}`,
    );
  });
}
