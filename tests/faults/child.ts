/**
 * `child.ts <ChildOptions as JSON>`: runs schedules concurrently and prints lines of JSON. The process
 * ends without an exit call, so that a remaining timer or socket is detected.
 */
import process from "node:process";
import { archiveSets } from "./archive.ts";
import { runSchedule, type ScheduleResult, stackOf } from "./run_schedule.ts";
import { scheduleOf } from "./schedule.ts";

/** The argument of the process. */
export interface ChildOptions {
  readonly seed: number;
  readonly numbers: readonly number[];
  readonly concurrency: number;
  /** An empty directory. */
  readonly directory: string;
}

/** A line of its output. */
export type ChildLine =
  | { readonly started: number }
  | { readonly result: ScheduleResult }
  | { readonly unhandled: string }
  | { readonly uncaught: string }
  | { readonly done: true };

/** The exit code after an uncaught exception. */
const UNCAUGHT_EXIT_CODE = 70;

function print(line: ChildLine): void {
  console.log(JSON.stringify(line));
}

process.on("unhandledRejection", (error) => print({ unhandled: stackOf(error) }));
process.on("uncaughtException", (error) => {
  print({ uncaught: stackOf(error) });
  process.exit(UNCAUGHT_EXIT_CODE);
});

const { seed, numbers, concurrency, directory }: ChildOptions = JSON.parse(process.argv[2] ?? "");
const sets = archiveSets();
const queue = [...numbers];

async function runQueue(): Promise<void> {
  for (let number = queue.shift(); number !== undefined; number = queue.shift()) {
    const schedule = scheduleOf(seed, number, sets.length);
    const archives = sets[schedule.archiveSet];
    if (archives === undefined) throw new Error(`No archives ${schedule.archiveSet}`);
    print({ started: number });
    print({ result: await runSchedule(schedule, archives, `${directory}/${number}`) });
  }
}

await Promise.all(Array.from({ length: concurrency }, runQueue));
print({ done: true });
