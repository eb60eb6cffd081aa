import { concat, defer, EMPTY, filter, identity, type Observable, take, tap } from "rxjs";
import type { CommandContext } from "./command.ts";
import type { Columns } from "./output.ts";
import { count } from "./text.ts";

/** Writes the first `limit` items (0 for all), and says if there are more, or none. */
export function limitedList$<T>(
  { output, terminal }: CommandContext,
  items$: Observable<T>,
  { limit, noun, columns }: { limit: number; noun: string; columns: Columns<T> },
): Observable<void> {
  let found = 0;
  const shown$ = items$.pipe(
    limit === 0 ? identity : take(limit + 1),
    tap(() => found++),
    terminal.counter(noun),
    filter(() => limit === 0 || found <= limit),
  );
  return concat(
    output.list$(shown$, columns),
    defer(() => {
      if (found === 0) terminal.note(`There is no ${noun}.`);
      if (limit > 0 && found > limit) {
        terminal.note(`Cut off after ${count(limit, noun)}; --limit 0 shows all.`);
      }
      return EMPTY;
    }),
  );
}
