/**
 * Runs schedules in a process of their own, several at a time, and prints a line of JSON about each:
 * `child.ts <ChildOptions as JSON>`. It ends by itself, once nothing keeps it alive.
 */
import process from "node:process";
import { archiveSets } from "./archive.ts";
import { runSchedule, type ScheduleResult } from "./run_schedule.ts";
import { scheduleOf } from "./schedule.ts";

/** What it is told. */
export interface ChildOptions {
  readonly seed: number;
  readonly numbers: readonly number[];
  readonly concurrency: number;
  /** An empty directory. */
  readonly directory: string;
}

/** What it prints. */
export type ChildLine =
  | { readonly started: number }
  | { readonly result: ScheduleResult }
  | { readonly unhandled: string }
  | { readonly uncaught: string }
  | { readonly done: true };

/** How the process ends after an exception that nothing has caught. */
export const UNCAUGHT_EXIT_CODE = 70;

function print(line: ChildLine): void {
  console.log(JSON.stringify(line));
}

function stackOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

process.on("unhandledRejection", (error) => print({ unhandled: stackOf(error) }));
process.on("uncaughtException", (error) => {
  print({ uncaught: stackOf(error) });
  process.exit(UNCAUGHT_EXIT_CODE);
});

const { seed, numbers, concurrency, directory }: ChildOptions = JSON.parse(process.argv[2] ?? "");
const sets = archiveSets();
const left = [...numbers];

async function work(): Promise<void> {
  for (let number = left.shift(); number !== undefined; number = left.shift()) {
    const schedule = scheduleOf(seed, number, sets.length);
    const archives = sets[schedule.archiveSet];
    if (archives === undefined) throw new Error(`No archives ${schedule.archiveSet}`);
    print({ started: number });
    print({ result: await runSchedule(schedule, archives, `${directory}/${number}`) });
  }
}

await Promise.all(Array.from({ length: concurrency }, work));
print({ done: true });
