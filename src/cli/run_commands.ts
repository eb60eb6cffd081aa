import type { Command } from "commander";
import type { TrainingRun } from "../types.ts";
import { parseCount } from "./arguments.ts";
import type { CreateAction } from "./command.ts";
import { formatTime, UNKNOWN } from "./format_value.ts";
import type { Columns, Details } from "./output.ts";
import { addWatchOptions, type WatchCommandOptions, writeWatchEvents$ } from "./watch_events.ts";
import { writeLimitedList$ } from "./write_limited_list.ts";

/** The largest page of most servers. */
const PAGE_SIZE = 100;

/** Adds `run list`, `run info` and `run watch`. */
export function addRunCommands(program: Command, action: CreateAction): void {
  const run = program.command("run").description("List, show and watch training runs.");

  run.command("list")
    .description("List training runs, the most recently active first.")
    .option("--limit <n>", "maximum number of runs; 0 for all", parseCount, 20)
    .action(action((session, { limit }: { limit: number }) => {
      const pageSize = limit === 0 ? PAGE_SIZE : Math.min(limit + 1, PAGE_SIZE);
      const runs$ = session.client.listAllTrainingRuns$({ pageSize });
      return writeLimitedList$(session, runs$, { limit, noun: "training run", columns: COLUMNS });
    }));

  run.command("info")
    .description("Show a training run.")
    .argument("<run-id>", "training run")
    .action(
      action(({ client, output }, runId: string) =>
        output.writeOutcome$(client.getTrainingRun$(runId), toDetails)
      ),
    );

  addWatchOptions(run.command("watch"))
    .description("Show training runs and their changes until interrupted.")
    .action(action((session, options: WatchCommandOptions) =>
      writeWatchEvents$(
        session,
        (watchOptions) => session.client.watchTrainingRuns$(watchOptions),
        options,
        (run) =>
          `${run.trainingRunId}  ${run.baseModel}  ${formatTime(run.lastRequestTime)}  ${
            run.lastCheckpoint?.checkpointId ?? "no checkpoint"
          }`,
      )
    ));
}

const COLUMNS: Columns<TrainingRun> = {
  "Run ID": ({ trainingRunId }) => trainingRunId,
  "Base model": ({ baseModel }) => baseModel,
  "Owner": ({ modelOwner }) => modelOwner ?? UNKNOWN,
  "LoRA": formatLora,
  "Last request": ({ lastRequestTime }) => formatTime(lastRequestTime),
  "State": formatState,
};

function toDetails(run: TrainingRun): Details {
  const last = [
    ["Last checkpoint", run.lastCheckpoint],
    ["Last sampler checkpoint", run.lastSamplerCheckpoint],
  ] as const;
  return [
    ["Run ID", run.trainingRunId],
    ["Base model", run.baseModel],
    ["Owner", run.modelOwner ?? UNKNOWN],
    ["LoRA", formatLora(run)],
    ["Last request", formatTime(run.lastRequestTime)],
    ["State", formatState(run)],
    ...last.map(([name, checkpoint]) =>
      [
        name,
        checkpoint === null
          ? "none"
          : `${checkpoint.checkpointPath} (${formatTime(checkpoint.time)})`,
      ] as const
    ),
  ];
}

/** Formats whether a run uses LoRA, and its rank. */
export function formatLora({ isLora, loraRank }: TrainingRun): string {
  if (!isLora) return "no";
  return loraRank === null ? "yes" : `rank ${loraRank}`;
}

function formatState({ corrupted }: TrainingRun): string {
  return corrupted ? "corrupted" : "ok";
}
