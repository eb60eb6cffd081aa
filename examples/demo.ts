/**
 * Runs commands of hpcai-rx one after another: lists training runs and checkpoints, downloads a
 * checkpoint with a progress bar and its SHA-256, and deletes the checkpoint after this backup.
 *
 *     deno task demo
 *
 * Without `HPCAI_API_KEY` the commands use an embedded API. With it they read from HPC-AI: nothing is
 * deleted there, and the download stops after 64 MiB or 10 seconds.
 */
import type { TrainingRun } from "@hpcai/rx";
import { type CliHost, main } from "@hpcai/rx/cli";
import { EventEmitter } from "node:events";
import { readdirSync, statSync } from "node:fs";
import process from "node:process";
import { Writable } from "node:stream";
import { filter, interval, merge, take, timer } from "rxjs";

/** Where the demo saves; it removes the directory at its end. */
const DIRECTORY = "demo-checkpoints";

const MAX_DOWNLOAD_BYTES = 64 * 1024 ** 2;
const MAX_DOWNLOAD_MS = 10_000;
const POLLING_INTERVAL_MS = 50;

const INTERRUPTED = 130; // 128 and the number of SIGINT, as in shells

/** This process, with an output that can be replaced; `emit("SIGINT")` stops a command like Ctrl-C. */
class DemoHost extends EventEmitter implements CliHost {
  readonly env = process.env;
  readonly stdin = process.stdin;
  readonly stderr = process.stderr;
  stdout: CliHost["stdout"] = process.stdout;
}

const host = new DemoHost();
const isEmbedded = !process.env["HPCAI_API_KEY"];
const globalOptions = isEmbedded ? ["--demo"] : [];

let isInterrupted = false;
process.on("SIGINT", () => {
  isInterrupted = true;
  host.emit("SIGINT");
});

/** Runs the demo and returns the exit code. */
async function runDemo(): Promise<number> {
  print(
    isEmbedded
      ? "HPCAI_API_KEY is not set, so these commands use an embedded API with made-up data.\n"
      : "HPCAI_API_KEY is set, so these commands read from HPC-AI. Nothing is deleted, and the\n" +
        "download stops after 64 MiB or 10 seconds.\n",
  );
  print(`Files are saved in ${DIRECTORY}/, which is removed at the end.\n`);
  const exitCode = await run(["run", "list", "--limit", "5"]);
  if (exitCode !== 0) return exitCode;

  const { exitCode: listExitCode, runs } = await listRuns();
  if (listExitCode !== 0) return listExitCode;
  const checkpoint = runs.map((run) => run.lastCheckpoint ?? run.lastSamplerCheckpoint)
    .find((checkpoint) => checkpoint !== null);
  if (checkpoint === undefined) {
    print(`\nNone of the first ${runs.length} training runs has a checkpoint to download.\n`);
    return 0;
  }

  const { trainingRunId, checkpointId, checkpointPath } = checkpoint;
  const list = ["checkpoint", "list", trainingRunId];
  const download = ["checkpoint", "download", trainingRunId, checkpointId, "-o", `${DIRECTORY}/`];
  return isEmbedded
    ? run(list, download, ["checkpoint", "delete", checkpointPath, "--yes"], list)
    : runUpToLimit(list, download);
}

/** Runs commands until one fails, and returns the last exit code. */
async function run(...commands: readonly string[][]): Promise<number> {
  for (const command of commands) {
    const args = [...globalOptions, ...command];
    print(`\n$ hpcai-rx ${args.join(" ")}\n`);
    const exitCode = await main(args, host);
    if (isInterrupted) return INTERRUPTED;
    if (exitCode !== 0) return exitCode;
  }
  return 0;
}

/** Runs commands, and interrupts them when they have saved enough for a demo. */
async function runUpToLimit(...commands: readonly string[][]): Promise<number> {
  let isLimitReached = false;
  const limit$ = merge(
    timer(MAX_DOWNLOAD_MS),
    interval(POLLING_INTERVAL_MS).pipe(filter(() => savedBytes() > MAX_DOWNLOAD_BYTES)),
  );
  const subscription = limit$.pipe(take(1)).subscribe(() => {
    isLimitReached = true;
    host.emit("SIGINT");
  });
  const exitCode = await run(...commands);
  subscription.unsubscribe();
  if (!isLimitReached || exitCode !== INTERRUPTED) return exitCode;
  print("The demo stops here, after 64 MiB or 10 seconds.\n");
  return isInterrupted ? INTERRUPTED : 0;
}

function savedBytes(): number {
  return readdirSync(DIRECTORY, { recursive: true })
    .map((name) => statSync(`${DIRECTORY}/${name}`, { throwIfNoEntry: false })?.size ?? 0)
    .reduce((sum, size) => sum + size, 0);
}

/** Lists training runs as JSON, without showing them. */
async function listRuns(): Promise<{ exitCode: number; runs: TrainingRun[] }> {
  let json = "";
  host.stdout = new Writable({
    write(chunk, _encoding, done) {
      json += chunk;
      done();
    },
  });
  const args = [...globalOptions, "--quiet", "--format", "json", "run", "list"];
  const exitCode = await main(args, host);
  host.stdout = process.stdout;
  return { exitCode, runs: exitCode === 0 ? JSON.parse(json) : [] };
}

function print(text: string): void {
  process.stdout.write(text);
}

Deno.mkdirSync(DIRECTORY, { recursive: true });
// At the exit, since an interrupted download closes its files after the command has ended.
process.on("exit", () => Deno.removeSync(DIRECTORY, { recursive: true }));
process.exitCode = await runDemo();
