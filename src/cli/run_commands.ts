import type { Command } from "commander";
import type { TrainingRun } from "../types.ts";
import { wholeNumber } from "./arguments.ts";
import type { Action } from "./command.ts";
import { limitedList$ } from "./limited_list.ts";
import type { Columns, Details } from "./output.ts";
import { moment, UNKNOWN } from "./text.ts";
import { type WatchCommandOptions, watches, watching$ } from "./watch.ts";

/** The most that one page holds, on most servers. */
const PAGE_SIZE = 100;

/** Adds `run list`, `run info` and `run watch`. */
export function addRunCommands(program: Command, action: Action): void {
  const run = program.command("run").description("Look at training runs.");

  run.command("list")
    .description("List training runs, those with the latest activity first.")
    .option("--limit <n>", "show at most so many; 0 for all", wholeNumber, 20)
    .action(action((context, { limit }: { limit: number }) => {
      const pageSize = limit === 0 ? PAGE_SIZE : Math.min(limit + 1, PAGE_SIZE);
      const runs$ = context.client.listAllTrainingRuns$({ pageSize });
      return limitedList$(context, runs$, { limit, noun: "training run", columns: COLUMNS });
    }));

  run.command("info")
    .description("Show a training run.")
    .argument("<run-id>", "the training run")
    .action(
      action(({ client, output }, runId: string) =>
        output.outcome$(client.getTrainingRun$(runId), details)
      ),
    );

  watches(run.command("watch"))
    .description("Show training runs, and what changes, until interrupted.")
    .action(action((context, options: WatchCommandOptions) =>
      watching$(
        context,
        (watchOptions) => context.client.watchTrainingRuns$(watchOptions),
        options,
        (run) =>
          `${run.trainingRunId}  ${run.baseModel}  ${moment(run.lastRequestTime)}  ${
            run.lastCheckpoint?.checkpointId ?? "no checkpoint"
          }`,
      )
    ));
}

const COLUMNS: Columns<TrainingRun> = {
  "Run ID": ({ trainingRunId }) => trainingRunId,
  "Base model": ({ baseModel }) => baseModel,
  "Owner": ({ modelOwner }) => modelOwner ?? UNKNOWN,
  "LoRA": lora,
  "Last request": ({ lastRequestTime }) => moment(lastRequestTime),
  "State": state,
};

function details(run: TrainingRun): Details {
  const last = [
    ["Last checkpoint", run.lastCheckpoint],
    ["Last sampler checkpoint", run.lastSamplerCheckpoint],
  ] as const;
  return [
    ["Run ID", run.trainingRunId],
    ["Base model", run.baseModel],
    ["Owner", run.modelOwner ?? UNKNOWN],
    ["LoRA", lora(run)],
    ["Last request", moment(run.lastRequestTime)],
    ["State", state(run)],
    ...last.map(([name, checkpoint]) =>
      [
        name,
        checkpoint === null ? "none" : `${checkpoint.checkpointPath} (${moment(checkpoint.time)})`,
      ] as const
    ),
  ];
}

/** What a run says of LoRA, in a word. */
export function lora({ isLora, loraRank }: TrainingRun): string {
  if (!isLora) return "no";
  return loraRank === null ? "yes" : `rank ${loraRank}`;
}

function state({ corrupted }: TrainingRun): string {
  return corrupted ? "corrupted" : "ok";
}
