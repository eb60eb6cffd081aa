/**
 * Searches the training runs at every key. `switchMap` unsubscribes from the search for what stood
 * there before, which aborts its requests: no answer comes late, none in the wrong order.
 *
 *     deno task example examples/search_as_you_type.ts
 *
 * Type a part of an id or of a base model's name, then Enter. Where stdin is no terminal, a typist is
 * simulated.
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
const keys$ = Deno.stdin.isTerminal() ? typedKeys$() : simulatedKeys$();

keys$.pipe(
  takeWhile((key) => !"\r\n\x03".includes(key)), // \x03: Ctrl-C
  scan((query, key) => key === "\x7f" ? query.slice(0, -1) : query + key, ""), // \x7f: Backspace
  switchMap((query) =>
    countMatches$(query).pipe(
      tap({ unsubscribe: () => console.log(`${query}: superseded, its requests are aborted`) }),
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

function typedKeys$(): Observable<string> {
  Deno.stdin.setRaw(true);
  const typed: AsyncIterable<string> = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
  return from(typed).pipe(
    concatMap((keys) => keys.toLowerCase()),
    finalize(() => Deno.stdin.setRaw(false)),
  );
}

/** Fast, but has to think at the hyphen. */
function simulatedKeys$(): Observable<string> {
  return from("qwen3-32b\r").pipe(
    concatMap((key) => of(key).pipe(delay(key === "-" ? 1000 : 80))),
  );
}
