import type { Command } from "commander";
import { concatMap, defer, forkJoin, from, map, type Observable, toArray } from "rxjs";
import { expiredCheckpoints } from "../listing/expired_checkpoints.ts";
import type { RestClient } from "../rest_client.ts";
import type { RunCheckpoint } from "../types.ts";
import { addArchiveCommands } from "./archive_commands.ts";
import { checkpointNamed, duration, nameCheckpoint, wholeNumber } from "./arguments.ts";
import type { Action } from "./command.ts";
import { COLUMNS } from "./checkpoint_table.ts";
import { deletion$, type DeletionOptions } from "./deletion.ts";
import { EXIT_CODES, Failure } from "./failure.ts";
import { limitedList$ } from "./limited_list.ts";
import type { Details } from "./output.ts";
import { lora } from "./run_commands.ts";
import { moment, size } from "./text.ts";
import { type WatchCommandOptions, watches, watching$ } from "./watch.ts";

const DELETION_ADVICE = "`checkpoint list` shows what is left.";

/** Adds the commands of `checkpoint`. */
export function addCheckpointCommands(program: Command, action: Action): void {
  const checkpoint = program.command("checkpoint").description("Work with checkpoints.");

  checkpoint.command("list")
    .description("List the checkpoints of a run, or of all runs.")
    .argument("[run-id]", "the training run")
    .option("--limit <n>", "show at most so many; 0 for all", wholeNumber, 20)
    .action(
      action((context, runId: string | undefined, { limit }: { limit: number }) =>
        limitedList$(context, checkpoints$(context.client, runId), {
          limit,
          noun: "checkpoint",
          columns: COLUMNS,
        })
      ),
    );

  nameCheckpoint(checkpoint.command("info"))
    .description("Show a checkpoint and its run.")
    .action(
      action(({ client, output }, path: string, checkpointId: string | undefined) =>
        output.outcome$(
          defer(() => find$(client, [checkpointNamed(path, checkpointId)])).pipe(
            concatMap((found) => found),
          ),
          details,
        )
      ),
    );

  addArchiveCommands(checkpoint, action);

  deletes(checkpoint.command("delete"))
    .description("Delete checkpoints for good.")
    .argument("<path...>", "the checkpoints, hpcai://…")
    .action(action((context, paths: string[], options: DeletionOptions) =>
      deletion$(
        context,
        defer(() =>
          find$(context.client, [...new Set(paths)].map((path) => checkpointNamed(path)))
        ),
        options,
      ), DELETION_ADVICE));

  deletes(checkpoint.command("prune"))
    .description(
      "Delete old checkpoints for good, but never the one that a run names as its last.",
    )
    .option("--keep-last <n>", "keep the last n of each type of each run", wholeNumber)
    .option("--older-than <duration>", "keep what is younger, such as 30d", duration)
    .option("--type <type...>", "only of these types (default: training and sampler)")
    .option("--run, --run-id <id>", "only of this run")
    .action(action((context, options: PruneOptions) => {
      const { keepLast, olderThan: maxAgeMs, type: types } = options;
      if (keepLast === undefined && maxAgeMs === undefined) {
        throw new Failure(
          "Nothing says what to keep.",
          "Pass --keep-last N, --older-than DURATION, or both.",
          EXIT_CODES.usage,
        );
      }
      const expired$ = checkpoints$(context.client, options.runId).pipe(
        context.terminal.counter("checkpoint"),
        toArray(),
        map((all) => expiredCheckpoints(all, { keepLast, maxAgeMs, types })),
      );
      return deletion$(context, expired$, options);
    }, DELETION_ADVICE));

  watches(checkpoint.command("watch"))
    .description("Show the checkpoints of a run, and what changes, until interrupted.")
    .argument("<run-id>", "the training run")
    .action(action((context, runId: string, options: WatchCommandOptions) =>
      watching$(
        context,
        (watchOptions) => context.client.watchCheckpoints$(runId, watchOptions),
        options,
        ({ checkpointPath, time }) => `${checkpointPath}  ${moment(time)}`,
      )
    ));
}

interface PruneOptions extends DeletionOptions {
  readonly keepLast?: number;
  readonly olderThan?: number;
  readonly type?: readonly string[];
  readonly runId?: string;
}

/** Adds the options of what deletes. */
function deletes(command: Command): Command {
  return command
    .option("-y, --yes", "do not ask")
    .option("--dry-run", "only show what would be deleted");
}

/** The checkpoints of a run, or of all runs. */
function checkpoints$(client: RestClient, runId: string | undefined): Observable<RunCheckpoint> {
  if (runId === undefined) return client.listAllCheckpoints$();
  return forkJoin([client.getTrainingRun$(runId), client.listCheckpoints$(runId)]).pipe(
    concatMap(([trainingRun, { checkpoints }]) =>
      checkpoints.map((checkpoint) => ({ ...checkpoint, trainingRun }))
    ),
  );
}

/** Looks checkpoints up, and fails unless each is there. */
function find$(
  client: RestClient,
  wanted: readonly ReturnType<typeof checkpointNamed>[],
): Observable<readonly RunCheckpoint[]> {
  const runIds = [...new Set(wanted.map(({ trainingRunId }) => trainingRunId))];
  return from(runIds).pipe(
    concatMap((runId) => checkpoints$(client, runId)),
    toArray(),
    map((listed) =>
      wanted.map(({ trainingRunId, checkpointId, checkpointType }) =>
        listed.find((checkpoint) =>
          checkpoint.trainingRunId === trainingRunId &&
          checkpoint.checkpointId === checkpointId &&
          checkpoint.checkpointType === (checkpointType ?? checkpoint.checkpointType)
        ) ?? notFound(trainingRunId, checkpointId, checkpointType)
      )
    ),
  );
}

function notFound(trainingRunId: string, checkpointId: string, type = ""): never {
  throw new Failure(
    `Training run ${trainingRunId} has no ${`${type} checkpoint`.trim()} ${checkpointId}.`,
    `\`checkpoint list ${trainingRunId}\` shows what it has.`,
    EXIT_CODES.notFound,
  );
}

function details(checkpoint: RunCheckpoint): Details {
  const { trainingRun } = checkpoint;
  return [
    ["Checkpoint ID", checkpoint.checkpointId],
    ["Type", checkpoint.checkpointType],
    ["Created", moment(checkpoint.time)],
    ...checkpoint.sizeBytes === undefined ? [] : [["Size", size(checkpoint.sizeBytes)] as const],
    ...checkpoint.expiresAt === undefined
      ? []
      : [["Expires", moment(checkpoint.expiresAt)] as const],
    ["Path", checkpoint.checkpointPath],
    ["Run ID", trainingRun.trainingRunId],
    ["Base model", trainingRun.baseModel],
    ["LoRA", lora(trainingRun)],
  ];
}
