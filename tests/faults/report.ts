import { archiveSets } from "./archive.ts";
import type { HiddenDefect } from "./fault_kind.ts";
import type { Violation } from "./result_checker.ts";
import type { ScheduleResult } from "./run_schedule.ts";
import { describe, scheduleOf } from "./schedule.ts";

/** How many of the last requests are printed, except for a single schedule. */
const LOG_LINES = 10;

/** The results in one runtime. */
export interface RuntimeResult {
  readonly results: Map<number, ScheduleResult>;
  readonly violations: {
    readonly number: number | undefined;
    readonly violation: Violation;
    readonly problem: string;
  }[];
  /** The schedules that crashed in undici, a part of Node. */
  readonly undiciCrashes: Set<number>;
  /** How many processes crashed in undici. */
  crashedProcesses: number;
}

const VIOLATIONS: readonly Violation[] = [
  "wrong",
  "untyped",
  "unhandled",
  "hung",
  "leftovers",
  "progress",
  "sockets",
  "crash",
];

/** Prints the table, the violations and the requests before them; fails if there is a violation. */
export function report(results: ReadonlyMap<string, RuntimeResult>, seed: number): void {
  const rows = new Map([...results].map(([name, result]) => [name, toRow(result)]));
  const columns = [...new Set([...rows.values()].flatMap((row) => Object.keys(row)))];
  const first = Math.max(...columns.map((column) => column.length));
  const width = Math.max(...[...rows.keys()].map((name) => name.length), 7);
  const line = (name: string, cells: readonly string[]) =>
    console.log([name.padEnd(first), ...cells.map((cell) => cell.padStart(width))].join("  "));
  console.log("");
  line("", [...rows.keys()]);
  for (const column of columns) {
    line(column, [...rows.values()].map((row) => String(row[column] ?? 0)));
  }
  for (const [name, { undiciCrashes, violations, results: schedules }] of results) {
    if (undiciCrashes.size > 0) {
      console.log(`\n${name} crashed in undici: ${[...undiciCrashes].join(", ")}`);
    }
    for (const { number, violation, problem } of violations) {
      Deno.exitCode = 1;
      console.log(`\n${name}: ${violation}: ${problem}`);
      if (number === undefined) continue;
      console.log(`  ${describe(scheduleOf(seed, number, archiveSets().length))}`);
      console.log(`  deno task test:faults --seed ${seed} --schedule ${number} --runtime ${name}`);
      const log = schedules.get(number)?.log ?? [];
      const requests = schedules.size === 1 ? log : log.slice(-LOG_LINES);
      if (log.length > requests.length) {
        console.log(`  | … ${log.length - requests.length} earlier`);
      }
      for (const request of requests) console.log(`  | ${request}`);
    }
    for (const { number, defect } of schedules.values()) {
      if (defect?.verified !== "wrong") continue;
      Deno.exitCode = 1;
      console.log(`\n${name}: verify did not detect the defect of schedule ${number}`);
    }
  }
}

/** The defects that only `verify` detects, and their labels. */
const HIDDEN_DEFECTS: readonly [HiddenDefect, string][] = [
  ["short", "Content-Length and body too short"],
  ["altered", "other bytes, same ETag"],
  ["no archive", "no archive, reported as unknown"],
];

/** The column of a runtime in the table. */
function toRow(
  { results, violations, undiciCrashes, crashedProcesses }: RuntimeResult,
): Record<string, number> {
  const all = [...results.values()];
  const count = (isCounted: (result: ScheduleResult) => boolean) => all.filter(isCounted).length;
  const failures = new Map<string, number>();
  for (const { endings } of all) {
    const last = endings.at(-1) ?? "";
    if (last !== "complete") failures.set(last, (failures.get(last) ?? 0) + 1);
  }
  const countDefects = (defect: HiddenDefect, verified?: string) =>
    count((result) =>
      result.defect?.defect === defect &&
      (verified === undefined || result.defect.verified === verified)
    );
  return {
    "schedules": all.length + undiciCrashes.size,
    "complete": count(({ endings }) => endings.at(-1) === "complete"),
    ...Object.fromEntries([...failures].sort().map(([name, number]) => [`  ${name}`, number])),
    ...Object.fromEntries(HIDDEN_DEFECTS.flatMap(([defect, label]) => [
      [label, countDefects(defect)],
      [`${label}: detected by verify`, countDefects(defect, "detected")],
      [`${label}: correct with verify`, countDefects(defect, "correct")],
    ])),
    "crashed in undici": undiciCrashes.size,
    "  crashed processes": crashedProcesses,
    ...Object.fromEntries(
      VIOLATIONS.map((kind) => [
        `must be 0: ${kind}`,
        new Set(
          violations.filter(({ violation }) => violation === kind).map(({ number }) => number),
        ).size,
      ]),
    ),
  };
}
