import type { Command } from "commander";
import { defer, type Observable, take } from "rxjs";
import type { WatchEvent, WatchOptions } from "../listing/watch_event.ts";
import { parseDuration, parsePositiveCount } from "./arguments.ts";
import type { CommandSession } from "./command.ts";
import { EXIT_CODES, Failure } from "./failure.ts";

/** The options of the watch commands. */
export interface WatchCommandOptions {
  readonly interval?: number;
  readonly initial: boolean;
  readonly limit?: number;
}

/** Adds the options of the watch commands. */
export function addWatchOptions(command: Command): Command {
  return command
    .option("--interval <duration>", "polling interval, such as 30s (default 10s)", parseDuration)
    .option("--no-initial", "show changes only, not the current list")
    .option("--limit <n>", "exit after n changes", parsePositiveCount);
}

/** Writes each event of a watch on a line, as soon as it is emitted. */
export function writeWatchEvents$<T>(
  { format, output }: CommandSession,
  watch$: (options: WatchOptions) => Observable<WatchEvent<T>>,
  { interval, initial, limit }: WatchCommandOptions,
  formatItem: (value: T) => string,
): Observable<unknown> {
  return defer(() => {
    if (format === "json") {
      throw new Failure("`--format json` needs a finite result", EXIT_CODES.usage, {
        advice: "Use `--format jsonl`, which writes a line of JSON for each change.",
      });
    }
    return output.writeLines$(
      watch$({ intervalMs: interval, emitInitial: initial }).pipe(take(limit ?? Infinity)),
      ({ type, value }) => `${type.padEnd("changed".length)}  ${formatItem(value)}`,
    );
  });
}
