/**
 * Searches the training runs at each keystroke. `switchMap` unsubscribes from the previous search, which
 * aborts its requests, so that no outdated result arrives.
 *
 *     deno task example examples/search_as_you_type.ts
 *
 * Type a part of an id or of a base model, then Enter. Keystrokes are simulated where stdin is not a
 * terminal.
 */
import {
  concatMap,
  count,
  delay,
  filter,
  finalize,
  from,
  type Observable,
  of,
  scan,
  switchMap,
  takeWhile,
  tap,
} from "rxjs";
import { connect } from "./connect.ts";

const client = connect({ trainingRuns: 300, latencyMs: 150 });
const keys$ = Deno.stdin.isTerminal() ? terminalKeys$() : simulatedKeys$();

keys$.pipe(
  takeWhile((key) => !"\r\n\x03".includes(key)), // \x03: Ctrl-C
  scan((query, key) => key === "\x7f" ? query.slice(0, -1) : query + key, ""), // \x7f: Backspace
  switchMap((query) =>
    countMatches$(query).pipe(
      tap({ unsubscribe: () => console.log(`${query}: superseded, requests aborted`) }),
      tap((matches) => console.log(`${query}: ${matches} training runs`)),
    )
  ),
).subscribe();

function countMatches$(query: string): Observable<number> {
  return client.listAllTrainingRuns$().pipe(
    filter((run) => `${run.trainingRunId} ${run.baseModel}`.toLowerCase().includes(query)),
    count(),
  );
}

function terminalKeys$(): Observable<string> {
  Deno.stdin.setRaw(true);
  const input: AsyncIterable<string> = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
  return from(input).pipe(
    concatMap((keys) => keys.toLowerCase()),
    finalize(() => Deno.stdin.setRaw(false)),
  );
}

/** Types faster than a search completes, with a pause before the hyphen. */
function simulatedKeys$(): Observable<string> {
  return from("qwen3-32b\r").pipe(
    concatMap((key) => of(key).pipe(delay(key === "-" ? 1000 : 80))),
  );
}
