import { concat, defer, EMPTY, filter, identity, type Observable, take, tap } from "rxjs";
import type { CommandSession } from "./command.ts";
import { formatCount } from "./format_value.ts";
import type { Columns } from "./output.ts";

/** Writes the first `limit` items (0 for all), and a note if there are more, or none. */
export function writeLimitedList$<T>(
  { output, terminal }: CommandSession,
  items$: Observable<T>,
  { limit, noun, columns }: { limit: number; noun: string; columns: Columns<T> },
): Observable<void> {
  let found = 0;
  const firstItems$ = items$.pipe(
    limit === 0 ? identity : take(limit + 1),
    tap(() => found++),
    terminal.showCount(noun),
    filter(() => limit === 0 || found <= limit),
  );
  return concat(
    output.writeList$(firstItems$, columns),
    defer(() => {
      if (found === 0) terminal.note(`No ${noun}s found.`);
      if (limit > 0 && found > limit) {
        terminal.note(`Showing the first ${formatCount(limit, noun)}; use --limit 0 to show all.`);
      }
      return EMPTY;
    }),
  );
}
