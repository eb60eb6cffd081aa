import { concat, concatMap, defer, EMPTY, map, type Observable } from "rxjs";
import type { DeleteResult } from "../listing/delete_checkpoints.ts";
import type { Checkpoint, RunCheckpoint } from "../types.ts";
import { COLUMNS } from "./checkpoint_table.ts";
import type { CommandContext } from "./command.ts";
import { EXIT_CODES, Failure, toFailure } from "./failure.ts";
import { count } from "./text.ts";

/** How checkpoints are deleted. */
export interface DeletionOptions {
  readonly yes?: true;
  readonly dryRun?: true;
}

/** What became of a checkpoint. */
interface Outcome extends Checkpoint {
  readonly type: DeleteResult["type"];
  readonly error?: string;
}

/** Deletes what a lookup finds: shows it and asks first, unless `yes`. */
export function deletion$(
  context: CommandContext,
  lookup$: Observable<readonly RunCheckpoint[]>,
  { yes = false, dryRun = false }: { yes?: boolean; dryRun?: boolean },
): Observable<unknown> {
  return defer(() => {
    const { output, terminal } = context;
    if (!yes && !dryRun && !terminal.isInteractive) {
      throw new Failure(
        "There is no terminal to ask on, so nothing is deleted.",
        "Pass --yes to delete without being asked, or --dry-run to see what would go.",
        EXIT_CODES.usage,
      );
    }
    return lookup$.pipe(concatMap((checkpoints) => {
      const total = count(checkpoints.length, "checkpoint");
      const noted$ = (text: string) =>
        defer(() => {
          terminal.note(text);
          return EMPTY;
        });
      if (dryRun) {
        return concat(
          output.list$(outcomes$(context, checkpoints, true), COLUMNS),
          noted$(`${total} would be deleted.`),
        );
      }
      const delete$ = defer(() => {
        const failures: Failure[] = [];
        return concat(
          output.lines$(outcomes$(context, checkpoints, false, failures), line),
          defer(() => failures.length === 0 ? noted$(`${total} deleted.`) : fail(failures, total)),
        );
      });
      if (yes || checkpoints.length === 0) return delete$;
      terminal.show(output.table(checkpoints, COLUMNS));
      return terminal.ask$(`Delete ${total} for good? [y/N] `).pipe(
        concatMap((answer) =>
          /^y(es)?$/i.test(answer?.trim() ?? "")
            ? delete$
            : concat(output.lines$(EMPTY, line), noted$("Nothing was deleted."))
        ),
      );
    }));
  });
}

/** Deletes checkpoints, and collects why some could not be. */
function outcomes$(
  { client }: CommandContext,
  checkpoints: readonly RunCheckpoint[],
  dryRun: boolean,
  failures: Failure[] = [],
): Observable<Outcome> {
  return client.deleteCheckpoints$(checkpoints, { dryRun }).pipe(map((result) => {
    // A result has the checkpoint as it was given: one of a listing.
    const { trainingRun: _, ...checkpoint } = result.checkpoint as RunCheckpoint;
    if (result.type !== "failed") return { type: result.type, ...checkpoint };
    const failure = toFailure(result.error);
    failures.push(failure);
    return { type: result.type, ...checkpoint, error: failure.message };
  }));
}

function fail(failures: readonly Failure[], total: string): never {
  const [exitCode = EXIT_CODES.failure, ...others] = new Set(
    failures.map(({ exitCode }) => exitCode),
  );
  throw new Failure(
    `${failures.length} of ${total} could not be deleted.`,
    failures[0]?.advice ?? "",
    others.length === 0 ? exitCode : EXIT_CODES.failure,
    { cause: failures[0] },
  );
}

function line({ type, checkpointPath, error }: Outcome): string {
  return error === undefined
    ? `${type}  ${checkpointPath}`
    : `${type}  ${checkpointPath}: ${error}`;
}
