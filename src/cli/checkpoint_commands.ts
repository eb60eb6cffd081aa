import type { Command } from "commander";
import { concatMap, defer, forkJoin, from, map, type Observable, toArray } from "rxjs";
import { expiredCheckpoints } from "../listing/expired_checkpoints.ts";
import type { RestClient } from "../rest_client.ts";
import type { RunCheckpoint } from "../types.ts";
import { addArchiveCommands } from "./archive_commands.ts";
import {
  addCheckpointArguments,
  type CheckpointArgument,
  parseCheckpoint,
  parseCount,
  parseDuration,
} from "./arguments.ts";
import { CHECKPOINT_COLUMNS } from "./checkpoint_columns.ts";
import type { CreateAction } from "./command.ts";
import {
  addDeletionOptions,
  confirmAndDelete$,
  type DeletionOptions,
} from "./confirm_and_delete.ts";
import { EXIT_CODES, Failure } from "./failure.ts";
import { formatSize, formatTime } from "./format_value.ts";
import type { Details } from "./output.ts";
import { formatLora } from "./run_commands.ts";
import { addWatchOptions, type WatchCommandOptions, writeWatchEvents$ } from "./watch_events.ts";
import { writeLimitedList$ } from "./write_limited_list.ts";

const DELETION_ADVICE = "`checkpoint list` shows the remaining checkpoints.";

/** Adds the commands of `checkpoint`. */
export function addCheckpointCommands(program: Command, action: CreateAction): void {
  const checkpoint = program.command("checkpoint").description(
    "List, download, extract, watch and delete checkpoints.",
  );

  checkpoint.command("list")
    .description("List the checkpoints of a run, or of all runs.")
    .argument("[run-id]", "training run")
    .option("--limit <n>", "maximum number of checkpoints; 0 for all", parseCount, 20)
    .action(
      action((session, runId: string | undefined, { limit }: { limit: number }) =>
        writeLimitedList$(session, checkpoints$(session.client, runId), {
          limit,
          noun: "checkpoint",
          columns: CHECKPOINT_COLUMNS,
        })
      ),
    );

  addCheckpointArguments(checkpoint.command("info"))
    .description("Show a checkpoint and its run.")
    .action(
      action(({ client, output }, path: string, checkpointId: string | undefined) =>
        output.writeOutcome$(
          defer(() => findCheckpoints$(client, [parseCheckpoint(path, checkpointId)])).pipe(
            concatMap((checkpoints) => checkpoints),
          ),
          toDetails,
        )
      ),
    );

  addArchiveCommands(checkpoint, action);

  addDeletionOptions(checkpoint.command("delete"))
    .description("Delete checkpoints permanently.")
    .argument("<path...>", "checkpoint paths, hpcai://…")
    .action(action((session, paths: string[], options: DeletionOptions) =>
      confirmAndDelete$(
        session,
        defer(() =>
          findCheckpoints$(session.client, [...new Set(paths)].map((path) => parseCheckpoint(path)))
        ),
        options,
      ), DELETION_ADVICE));

  addDeletionOptions(checkpoint.command("prune"))
    .description(
      "Delete old checkpoints permanently, except the last checkpoints of each run.",
    )
    .option("--keep-last <n>", "keep the last n of each type of each run", parseCount)
    .option(
      "--older-than <duration>",
      "keep checkpoints younger than this, such as 30d",
      parseDuration,
    )
    .option("--type <type...>", "delete only these types (default: training and sampler)")
    .option("--run, --run-id <id>", "delete only checkpoints of this run")
    .action(action((session, options: PruneOptions) => {
      const { keepLast, olderThan: maxAgeMs, type: types } = options;
      if (keepLast === undefined && maxAgeMs === undefined) {
        throw new Failure("A rule for what to keep is missing", EXIT_CODES.usage, {
          advice: "Pass --keep-last N, --older-than DURATION, or both.",
        });
      }
      const expired$ = checkpoints$(session.client, options.runId).pipe(
        session.terminal.showCount("checkpoint"),
        toArray(),
        map((all) => expiredCheckpoints(all, { keepLast, maxAgeMs, types })),
      );
      return confirmAndDelete$(session, expired$, options);
    }, DELETION_ADVICE));

  addWatchOptions(checkpoint.command("watch"))
    .description("Show the checkpoints of a run and their changes until interrupted.")
    .argument("<run-id>", "training run")
    .action(action((session, runId: string, options: WatchCommandOptions) =>
      writeWatchEvents$(
        session,
        (watchOptions) => session.client.watchCheckpoints$(runId, watchOptions),
        options,
        ({ checkpointPath, time }) => `${checkpointPath}  ${formatTime(time)}`,
      )
    ));
}

interface PruneOptions extends DeletionOptions {
  readonly keepLast?: number;
  readonly olderThan?: number;
  readonly type?: readonly string[];
  readonly runId?: string;
}

/** Lists the checkpoints of a run, or of all runs. */
function checkpoints$(client: RestClient, runId: string | undefined): Observable<RunCheckpoint> {
  if (runId === undefined) return client.listAllCheckpoints$();
  return forkJoin([client.getTrainingRun$(runId), client.listCheckpoints$(runId)]).pipe(
    concatMap(([trainingRun, { checkpoints }]) =>
      checkpoints.map((checkpoint) => ({ ...checkpoint, trainingRun }))
    ),
  );
}

/** Looks up checkpoints, and fails unless each exists. */
function findCheckpoints$(
  client: RestClient,
  checkpoints: readonly CheckpointArgument[],
): Observable<readonly RunCheckpoint[]> {
  const runIds = [...new Set(checkpoints.map(({ trainingRunId }) => trainingRunId))];
  return from(runIds).pipe(
    concatMap((runId) => checkpoints$(client, runId)),
    toArray(),
    map((listed) =>
      checkpoints.map(({ trainingRunId, checkpointId, checkpointType }) =>
        listed.find((checkpoint) =>
          checkpoint.trainingRunId === trainingRunId &&
          checkpoint.checkpointId === checkpointId &&
          checkpoint.checkpointType === (checkpointType ?? checkpoint.checkpointType)
        ) ?? throwNotFound(trainingRunId, checkpointId, checkpointType)
      )
    ),
  );
}

function throwNotFound(trainingRunId: string, checkpointId: string, type = ""): never {
  throw new Failure(
    `Training run ${trainingRunId} has no ${`${type} checkpoint`.trim()} ${checkpointId}`,
    EXIT_CODES.notFound,
    { advice: `\`checkpoint list ${trainingRunId}\` shows its checkpoints.` },
  );
}

function toDetails(checkpoint: RunCheckpoint): Details {
  const { trainingRun } = checkpoint;
  return [
    ["Checkpoint ID", checkpoint.checkpointId],
    ["Type", checkpoint.checkpointType],
    ["Created", formatTime(checkpoint.time)],
    ...checkpoint.sizeBytes === undefined
      ? []
      : [["Size", formatSize(checkpoint.sizeBytes)] as const],
    ...checkpoint.expiresAt === undefined
      ? []
      : [["Expires", formatTime(checkpoint.expiresAt)] as const],
    ["Path", checkpoint.checkpointPath],
    ["Run ID", trainingRun.trainingRunId],
    ["Base model", trainingRun.baseModel],
    ["LoRA", formatLora(trainingRun)],
  ];
}
