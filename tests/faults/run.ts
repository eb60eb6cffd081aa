/**
 * `deno task test:faults [--schedules N] [--seed S] [--schedule NUMBER] [--runtime NAME …]`: runs the
 * client under seeded schedules of faults, in Deno from its sources and in Node from the npm package,
 * and prints what came out where. Fails if anything came out that must not.
 */
import { parseArgs } from "node:util";
import { buildNpm } from "../../tasks/build_npm.ts";
import { installTools, node, output, tool, versionOf } from "../runtimes/tools.ts";
import type { ChildLine, ChildOptions } from "./child.ts";
import { FAULT_KINDS, type Lie } from "./fault_kinds.ts";
import type { Fault, ScheduleResult } from "./run_schedule.ts";
import { ALL_COMBINATIONS, describe, scheduleOf } from "./schedule.ts";
import { archiveSets, isPackedAgain } from "./archive.ts";

/** A runtime that runs the child. */
interface FaultRuntime {
  readonly command: string;
  args(project: string, directory: string): string[];
}

const CHILD = new URL("child.ts", import.meta.url);
const BUNDLE = "fault_child.mjs";

const onNode = (major: number): FaultRuntime => ({
  command: node(major),
  args: (project) => [`${project}/${BUNDLE}`],
});

const RUNTIMES: Readonly<Record<string, FaultRuntime>> = {
  deno: {
    command: Deno.execPath(),
    args: (_project, directory) => [
      "run",
      "--no-check",
      "--no-prompt",
      "--allow-net=127.0.0.1",
      `--allow-read=${directory}`,
      `--allow-write=${directory}`,
      CHILD.pathname,
    ],
  },
  node20: onNode(20),
  node22: onNode(22),
  node24: onNode(24),
};

/** So many run in a process at a time, and so many processes. */
const CONCURRENCY = 8;
const PROCESSES = 2;

/** So many schedules a process has, so that what one leaves behind cannot grow for ever. */
const BATCH = 250;

/** So many of the last requests are shown of a schedule that is not the only one. */
const LOG_LINES = 10;

/** Longer than any schedule takes by itself. */
const SILENCE_MS = 90_000;

/** How long a process may live on after it has nothing left to do. */
const EXIT_MS = 5_000;

/** What Node's own client dies of when a body without a length is reset while its reader is slow. */
const UNDICI_ABORT =
  /AssertionError[^]*internal\/deps\/undici|internal\/deps\/undici[^]*AssertionError/;

/** What came out in one runtime. */
interface Tally {
  readonly results: Map<number, ScheduleResult>;
  /** What came out that must not, by schedule. */
  readonly faults: { readonly number: number | undefined; fault: Fault; problem: string }[];
  /** Schedules during which the runtime itself died in undici. */
  readonly aborted: Set<number>;
  /** How often the process died in undici. */
  deaths: number;
}

/** How a process ended. */
interface ChildEnd {
  readonly inFlight: readonly number[];
  readonly notStarted: readonly number[];
  /** What it died of, if it did not end by itself. */
  readonly death: string | undefined;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      schedules: { type: "string", default: String(ALL_COMBINATIONS) },
      seed: { type: "string", default: "1" },
      schedule: { type: "string", multiple: true },
      runtime: { type: "string", multiple: true, default: Object.keys(RUNTIMES) },
    },
  });
  const seed = Number(values.seed);
  const numbers = values.schedule?.map(Number) ?? [...Array(Number(values.schedules)).keys()];
  const runtimes = values.runtime.map((name): [string, FaultRuntime] => {
    const runtime = RUNTIMES[name];
    if (runtime === undefined) throw new Error(`No runtime ${name}: ${Object.keys(RUNTIMES)}`);
    return [name, runtime];
  });
  const project = await Deno.makeTempDir();
  try {
    await install(project);
    console.log(`${FAULT_KINDS.length} kinds of faults, ${numbers.length} schedules, seed ${seed}`);
    const tallies = new Map<string, Tally>();
    const waiting = [...runtimes];
    const work = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const [name, runtime] = next;
        const startedAt = performance.now();
        tallies.set(name, await runAll(runtime, project, seed, numbers));
        const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
        console.log(`${name} (${await versionOf(runtime.command)}): ${seconds} s`);
      }
    };
    await Promise.all(Array.from({ length: PROCESSES }, work));
    report(new Map(runtimes.map(([name]) => [name, tallies.get(name) as Tally])), seed);
  } finally {
    await Deno.remove(project, { recursive: true });
  }
}

/** An empty Node project with the npm package, and the child in one file beside it. */
async function install(project: string): Promise<void> {
  await installTools();
  const tarball = await buildNpm(project);
  await Deno.writeTextFile(`${project}/package.json`, `{ "private": true, "type": "module" }`);
  await output("npm", ["install", "--no-audit", "--no-fund", tarball], project);
  await output(tool("esbuild/bin/esbuild"), [
    CHILD.pathname,
    "--bundle",
    "--format=esm",
    "--platform=node",
    "--packages=external",
    "--external:@hpcai/rx",
    "--external:@hpcai/rx/fs",
    `--outfile=${project}/${BUNDLE}`,
  ], project);
}

async function runAll(
  runtime: FaultRuntime,
  project: string,
  seed: number,
  numbers: readonly number[],
): Promise<Tally> {
  const tally: Tally = { results: new Map(), faults: [], aborted: new Set(), deaths: 0 };
  const run = async (numbers: readonly number[], concurrency: number): Promise<void> => {
    const left = [...numbers];
    while (left.length > 0) {
      const batch = { seed, numbers: left.splice(0, BATCH), concurrency };
      const { inFlight, notStarted, death } = await runChild(runtime, project, batch, tally);
      left.unshift(...notStarted);
      if (death === undefined) continue;
      const [first, second] = inFlight;
      if (first === undefined && notStarted.length > 0) throw new Error(death);
      const number = second === undefined ? first : undefined;
      if (UNDICI_ABORT.test(death)) {
        tally.deaths++;
        if (numbers.length === 1) console.log(death);
        if (number !== undefined) tally.aborted.add(number);
      } else {
        tally.faults.push({ number, fault: "crash", problem: death });
      }
      // One at a time, to find out which one it died of.
      if (number === undefined) await run(inFlight, 1);
    }
  };
  await run(numbers, CONCURRENCY);
  return tally;
}

/** Runs one process. */
async function runChild(
  { command, args }: FaultRuntime,
  project: string,
  options: Omit<ChildOptions, "directory">,
  tally: Tally,
): Promise<ChildEnd> {
  const directory = await Deno.makeTempDir({ dir: project });
  const childOptions: ChildOptions = { ...options, directory };
  const child = new Deno.Command(command, {
    args: [...args(project, directory), JSON.stringify(childOptions)],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stderr = new Response(child.stderr).text();
  const started = new Set<number>();
  const finished = new Set<number>();
  let uncaught = "";
  let isDone = false;
  let death: string | undefined;
  const kill = (why: string) => {
    death = why;
    child.kill("SIGKILL");
  };
  let watchdog = setTimeout(() => kill("the process hangs"), SILENCE_MS);
  for await (const text of lines(child.stdout)) {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => kill("the process hangs"), SILENCE_MS);
    const line: ChildLine = JSON.parse(text);
    if ("started" in line) started.add(line.started);
    else if ("result" in line) {
      const { result } = line;
      finished.add(result.number);
      tally.results.set(result.number, result);
      for (const fault of result.faults) tally.faults.push({ number: result.number, ...fault });
    } else if ("unhandled" in line) {
      const number = [...started].filter((number) => !finished.has(number)).join(" or ");
      const problem = `during ${number}: ${line.unhandled}`;
      tally.faults.push({ number: undefined, fault: "unhandled", problem });
    } else if ("uncaught" in line) uncaught = line.uncaught;
    else {
      isDone = true;
      clearTimeout(watchdog);
      watchdog = setTimeout(() => kill("something keeps the process alive"), EXIT_MS);
    }
  }
  clearTimeout(watchdog);
  const { success, code, signal } = await child.status;
  const words = `${uncaught}\n${await stderr}`.trim();
  if (!success) death ??= `exit code ${code}, signal ${signal}: ${words}`;
  else if (!isDone) death ??= "the process ended before it was done";
  if (success && words !== "") console.log(words);
  const unfinished = options.numbers.filter((number) => !finished.has(number));
  await judgeAfterDeath(directory, unfinished, options.seed, tally);
  await Deno.remove(directory, { recursive: true });
  return {
    death,
    inFlight: unfinished.filter((number) => started.has(number)),
    notStarted: unfinished.filter((number) => !started.has(number)),
  };
}

/** Whatever a process died of, a file under its final name has to be right. */
async function judgeAfterDeath(
  directory: string,
  unfinished: readonly number[],
  seed: number,
  tally: Tally,
): Promise<void> {
  const sets = archiveSets();
  for (const number of unfinished) {
    const schedule = scheduleOf(seed, number, sets.length);
    const archives = Object.values(sets[schedule.archiveSet] ?? {});
    for (const place of ["as-is", "verified"]) {
      const path = `${directory}/${number}/${place}/final.tar.gz`;
      const saved = await Deno.readFile(path).catch(() => undefined);
      if (saved === undefined || schedule.faults.some(({ kind }) => kind.lie)) continue;
      // By what is in it, since zlib compresses otherwise in another runtime.
      if (archives.some((archive) => isPackedAgain(saved, archive))) continue;
      const problem = `${saved.length} bytes, left by a process that died`;
      tally.faults.push({ number, fault: "wrong", problem });
    }
  }
}

async function* lines(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const parts = `${rest}${text}`.split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}

const MUST_BE_NONE: readonly Fault[] = [
  "wrong",
  "untyped",
  "unhandled",
  "hung",
  "leftovers",
  "progress",
  "sockets",
  "crash",
];

function report(tallies: ReadonlyMap<string, Tally>, seed: number): void {
  const rows = new Map([...tallies].map(([name, tally]) => [name, row(tally)]));
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
  for (const [name, { aborted, faults, results }] of tallies) {
    if (aborted.size > 0) console.log(`\n${name} died in undici: ${[...aborted].join(", ")}`);
    for (const { number, fault, problem } of faults) {
      Deno.exitCode = 1;
      console.log(`\n${name}: ${fault}: ${problem}`);
      if (number === undefined) continue;
      console.log(`  ${describe(scheduleOf(seed, number, archiveSets().length))}`);
      console.log(`  deno task test:faults --seed ${seed} --schedule ${number} --runtime ${name}`);
      const log = results.get(number)?.log ?? [];
      const shown = results.size === 1 ? log : log.slice(-LOG_LINES);
      if (log.length > shown.length) console.log(`  | … ${log.length - shown.length} before`);
      for (const request of shown) console.log(`  | ${request}`);
    }
    for (const { number, lie } of results.values()) {
      if (lie?.verified !== "wrong") continue;
      Deno.exitCode = 1;
      console.log(`\n${name}: verify did not detect it: schedule ${number}`);
    }
  }
}

/** What only `verify` detects, apart. */
const LIES: readonly [Lie, string][] = [
  ["short", "length too small and met"],
  ["altered", "other bytes, same ETag"],
  ["no archive", "no archive, said so"],
];

/** Counts what came out. */
function row({ results, faults, aborted, deaths }: Tally): Record<string, number> {
  const all = [...results.values()];
  const count = (isCounted: (result: ScheduleResult) => boolean) => all.filter(isCounted).length;
  const failures = new Map<string, number>();
  for (const { endings } of all) {
    const last = endings.at(-1) ?? "";
    if (last !== "complete") failures.set(last, (failures.get(last) ?? 0) + 1);
  }
  const lies = (lie: Lie, verified?: string) =>
    count((result) =>
      result.lie?.lie === lie && (verified === undefined || result.lie.verified === verified)
    );
  return {
    "schedules": all.length + aborted.size,
    "complete": count(({ endings }) => endings.at(-1) === "complete"),
    ...Object.fromEntries([...failures].sort().map(([name, number]) => [`  ${name}`, number])),
    ...Object.fromEntries(LIES.flatMap(([lie, words]) => [
      [words, lies(lie)],
      [`${words}: detected by verify`, lies(lie, "detected")],
      [`${words}: not sent again`, lies(lie, "right")],
    ])),
    "died in undici": aborted.size,
    "  deaths of a process": deaths,
    ...Object.fromEntries(
      MUST_BE_NONE.map((fault) => [
        `must be 0: ${fault}`,
        new Set(faults.filter((found) => found.fault === fault).map(({ number }) => number)).size,
      ]),
    ),
  };
}

if (import.meta.main) await main();
