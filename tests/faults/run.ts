/**
 * `deno task test:faults [--schedules N] [--seed S] [--schedule NUMBER] [--runtime NAME …]`: runs the
 * client under seeded schedules of faults, in Deno from its sources and in Node from the npm package,
 * and prints a table of the results. Fails if there is a violation.
 */
import { parseArgs } from "node:util";
import { buildNpm } from "../../tasks/build_npm.ts";
import { installTools, node, output, tool, versionOf } from "../runtimes/tools.ts";
import type { ChildLine, ChildOptions } from "./child.ts";
import { FAULT_KINDS } from "./fault_kinds.ts";
import { report, type RuntimeResult } from "./report.ts";
import { ALL_COMBINATIONS, scheduleOf } from "./schedule.ts";
import { archiveSets, isRecompressed } from "./archive.ts";

/** A runtime for child processes. */
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

/** How many schedules are concurrent in a process, and how many processes are concurrent. */
const CONCURRENCY = 8;
const PROCESSES = 2;

/** How many schedules a process runs, which limits what they can leave behind. */
const BATCH = 250;

/** Longer than any schedule takes. */
const SILENCE_MS = 90_000;

/** How long a process can take to end after its last schedule. */
const EXIT_MS = 5_000;

/** The crash of Node's `fetch` when a body without a length is reset while its reader is slow. */
const UNDICI_CRASH =
  /AssertionError[^]*internal\/deps\/undici|internal\/deps\/undici[^]*AssertionError/;

/** The end of a child process. */
interface ChildResult {
  readonly inFlight: readonly number[];
  readonly notStarted: readonly number[];
  /** The cause of a crash or a kill. */
  readonly failure: string | undefined;
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
    const results = new Map<string, RuntimeResult>();
    const queue = [...runtimes];
    const runQueue = async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const [name, runtime] = next;
        const startedAt = performance.now();
        results.set(name, await runAll(runtime, project, seed, numbers));
        const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
        console.log(`${name} (${await versionOf(runtime.command)}): ${seconds} s`);
      }
    };
    await Promise.all(Array.from({ length: PROCESSES }, runQueue));
    // In the order of the command line. The queue has a result for each of them.
    report(new Map(runtimes.map(([name]) => [name, results.get(name) as RuntimeResult])), seed);
  } finally {
    await Deno.remove(project, { recursive: true });
  }
}

/** Creates a Node project with the npm package and a bundle of the child. */
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
): Promise<RuntimeResult> {
  const result: RuntimeResult = {
    results: new Map(),
    violations: [],
    undiciCrashes: new Set(),
    crashedProcesses: 0,
  };
  const run = async (numbers: readonly number[], concurrency: number): Promise<void> => {
    const queue = [...numbers];
    while (queue.length > 0) {
      const batch = { seed, numbers: queue.splice(0, BATCH), concurrency };
      const { inFlight, notStarted, failure } = await runChild(runtime, project, batch, result);
      queue.unshift(...notStarted);
      if (failure === undefined) continue;
      const [first, second] = inFlight;
      if (first === undefined && notStarted.length > 0) throw new Error(failure);
      const number = second === undefined ? first : undefined;
      if (UNDICI_CRASH.test(failure)) {
        result.crashedProcesses++;
        if (numbers.length === 1) console.log(failure);
        if (number !== undefined) result.undiciCrashes.add(number);
      } else {
        result.violations.push({ number, violation: "crash", problem: failure });
      }
      // One at a time, to find the schedule that caused the crash.
      if (number === undefined) await run(inFlight, 1);
    }
  };
  await run(numbers, CONCURRENCY);
  return result;
}

/** Runs one process. */
async function runChild(
  { command, args }: FaultRuntime,
  project: string,
  options: Omit<ChildOptions, "directory">,
  runtimeResult: RuntimeResult,
): Promise<ChildResult> {
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
  let failure: string | undefined;
  const kill = (reason: string) => {
    failure = reason;
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
      runtimeResult.results.set(result.number, result);
      for (const violation of result.violations) {
        runtimeResult.violations.push({ number: result.number, ...violation });
      }
    } else if ("unhandled" in line) {
      const number = [...started].filter((number) => !finished.has(number)).join(" or ");
      const problem = `during ${number}: ${line.unhandled}`;
      runtimeResult.violations.push({ number: undefined, violation: "unhandled", problem });
    } else if ("uncaught" in line) uncaught = line.uncaught;
    else {
      isDone = true;
      clearTimeout(watchdog);
      watchdog = setTimeout(() => kill("the process does not end"), EXIT_MS);
    }
  }
  clearTimeout(watchdog);
  const { success, code, signal } = await child.status;
  const output = `${uncaught}\n${await stderr}`.trim();
  if (!success) failure ??= `exit code ${code}, signal ${signal}: ${output}`;
  else if (!isDone) failure ??= "the process ended early";
  if (success && output !== "") console.log(output);
  const unfinished = options.numbers.filter((number) => !finished.has(number));
  await checkAfterCrash(directory, unfinished, options.seed, runtimeResult);
  await Deno.remove(directory, { recursive: true });
  return {
    failure,
    inFlight: unfinished.filter((number) => started.has(number)),
    notStarted: unfinished.filter((number) => !started.has(number)),
  };
}

/** Checks the files of schedules that a crash interrupted: a file under its final name is complete. */
async function checkAfterCrash(
  directory: string,
  unfinished: readonly number[],
  seed: number,
  runtimeResult: RuntimeResult,
): Promise<void> {
  const sets = archiveSets();
  for (const number of unfinished) {
    const schedule = scheduleOf(seed, number, sets.length);
    const archives = Object.values(sets[schedule.archiveSet] ?? {});
    for (const place of ["unverified", "verified"]) {
      const path = `${directory}/${number}/${place}/final.tar.gz`;
      const saved = await Deno.readFile(path).catch(() => undefined);
      if (saved === undefined || schedule.faults.some(({ kind }) => kind.defect)) continue;
      // Compare the contents, because zlib compresses differently in another runtime.
      if (archives.some((archive) => isRecompressed(saved, archive))) continue;
      const problem = `${saved.length} bytes, left by a crashed process`;
      runtimeResult.violations.push({ number, violation: "wrong", problem });
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

if (import.meta.main) await main();
