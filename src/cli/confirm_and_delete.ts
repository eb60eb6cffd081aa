import type { Command } from "commander";
import { concat, concatMap, defer, EMPTY, map, type Observable } from "rxjs";
import type { DeleteResult } from "../listing/delete_checkpoints.ts";
import type { Checkpoint, RunCheckpoint } from "../types.ts";
import { CHECKPOINT_COLUMNS } from "./checkpoint_columns.ts";
import type { CommandSession } from "./command.ts";
import { EXIT_CODES, Failure, toFailure } from "./failure.ts";
import { formatCount } from "./format_value.ts";

/** The options of the commands that delete checkpoints. */
export interface DeletionOptions {
  readonly yes?: true;
  readonly dryRun?: true;
}

/** Adds the options of the commands that delete checkpoints. */
export function addDeletionOptions(command: Command): Command {
  return command
    .option("-y, --yes", "delete without a prompt")
    .option("--dry-run", "show what would be deleted, without deleting it");
}

/** A checkpoint with the outcome of its deletion. */
interface DeletionOutcome extends Checkpoint {
  readonly type: DeleteResult["type"];
  readonly error?: string;
}

/** Shows the checkpoints of a lookup, prompts for confirmation unless `yes`, and deletes them. */
export function confirmAndDelete$(
  session: CommandSession,
  lookup$: Observable<readonly RunCheckpoint[]>,
  { yes = false, dryRun = false }: { yes?: boolean; dryRun?: boolean },
): Observable<unknown> {
  return defer(() => {
    const { output, terminal } = session;
    if (!yes && !dryRun && !terminal.isInteractive) {
      throw new Failure("Cannot prompt for confirmation without a terminal", EXIT_CODES.usage, {
        advice: "Pass --yes to delete without a prompt, or --dry-run to see what would be deleted.",
      });
    }
    return lookup$.pipe(concatMap((checkpoints) => {
      const total = formatCount(checkpoints.length, "checkpoint");
      const note$ = (text: string) =>
        defer(() => {
          terminal.note(text);
          return EMPTY;
        });
      if (dryRun) {
        return concat(
          output.writeList$(outcomes$(session, checkpoints, true), CHECKPOINT_COLUMNS),
          note$(`${total} would be deleted.`),
        );
      }
      const delete$ = defer(() => {
        const failures: Failure[] = [];
        return concat(
          output.writeLines$(outcomes$(session, checkpoints, false, failures), formatOutcome),
          defer(() =>
            failures.length === 0 ? note$(`${total} deleted.`) : throwFailures(failures, total)
          ),
        );
      });
      if (yes || checkpoints.length === 0) return delete$;
      terminal.show(output.formatTable(checkpoints, CHECKPOINT_COLUMNS));
      return terminal.prompt$(`Delete ${total} permanently? [y/N] `).pipe(
        concatMap((line) =>
          /^y(es)?$/i.test(line?.trim() ?? "")
            ? delete$
            : concat(output.writeLines$(EMPTY, formatOutcome), note$("Nothing was deleted."))
        ),
      );
    }));
  });
}

/** Deletes checkpoints, emits each outcome, and adds the failures to `failures`. */
function outcomes$(
  { client }: CommandSession,
  checkpoints: readonly RunCheckpoint[],
  dryRun: boolean,
  failures: Failure[] = [],
): Observable<DeletionOutcome> {
  return client.deleteCheckpoints$(checkpoints, { dryRun }).pipe(map((result) => {
    // A result has the value that was passed in, here a checkpoint of a listing.
    const { trainingRun: _, ...checkpoint } = result.checkpoint as RunCheckpoint;
    if (result.type !== "failed") return { type: result.type, ...checkpoint };
    const failure = toFailure(result.error);
    failures.push(failure);
    return { type: result.type, ...checkpoint, error: failure.problem };
  }));
}

function throwFailures(failures: readonly Failure[], total: string): never {
  const [first] = failures;
  const [exitCode = EXIT_CODES.failure, ...others] = new Set(
    failures.map(({ exitCode }) => exitCode),
  );
  throw new Failure(
    `Cannot delete ${failures.length} of ${total}`,
    others.length === 0 ? exitCode : EXIT_CODES.failure,
    { advice: first?.advice, cause: first },
  );
}

function formatOutcome({ type, checkpointPath, error }: DeletionOutcome): string {
  return error === undefined
    ? `${type}  ${checkpointPath}`
    : `${type}  ${checkpointPath}: ${error}`;
}
