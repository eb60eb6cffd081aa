import { assertInstanceOf } from "@std/assert";
import { catchError, EMPTY, map, type Observable, of } from "rxjs";
import {
  type TotalProgress,
  totalProgress,
  type TransferEvent,
} from "../../src/download/total_progress.ts";
import { InvalidArgumentError } from "../../src/errors.ts";
import { runMarbles } from "../marbles.ts";

const progress = (loaded: number, total?: number) => ({ type: "progress", loaded, total });
const complete = (loaded: number) => ({ type: "complete", loaded });

/** The compared fields as a text. */
function toTexts(
  totals$: Observable<TotalProgress>,
  format: (total: TotalProgress) => unknown,
): Observable<string> {
  return totals$.pipe(map((total) => `${format(total)}`));
}

const bytes = ({ loaded, total }: TotalProgress) => `${loaded}/${total}`;
const archives = ({ completed, count }: TotalProgress) => `${completed}/${count}`;

Deno.test("totalProgress adds up bytes, and has a total once the last download has begun", () => {
  runMarbles(({ cold, expectObservable }) => {
    const one = cold("a-b|", { a: progress(0, 10), b: complete(10) });
    const other = cold("-a-b|", { a: progress(5, 20), b: complete(20) });
    expectObservable(toTexts(of(one, other).pipe(totalProgress()), bytes)).toBe("abcd|", {
      a: "0/undefined",
      b: "5/30",
      c: "15/30",
      d: "30/30",
    });
  });
});

Deno.test("totalProgress runs `concurrency` downloads, and counts those that wait", () => {
  runMarbles(({ cold, expectObservable, expectSubscriptions }) => {
    const downloads = [10, 20, 30].map((size) => cold("--a|", { a: complete(size) }));
    const [one, two, three] = downloads;
    expectObservable(toTexts(of(...downloads).pipe(totalProgress(1)), archives))
      .toBe("--a--b--c|", { a: "1/3", b: "2/3", c: "3/3" });
    expectSubscriptions(one?.subscriptions ?? []).toBe("^--!");
    expectSubscriptions(two?.subscriptions ?? []).toBe("---^--!");
    expectSubscriptions(three?.subscriptions ?? []).toBe("------^--!");
  });
});

Deno.test("totalProgress runs four downloads concurrently by default", () => {
  runMarbles(({ cold, expectObservable, expectSubscriptions }) => {
    const downloads = Array.from({ length: 5 }, () => cold<TransferEvent>("--|"));
    expectObservable(of(...downloads).pipe(totalProgress())).toBe("----|");
    expectSubscriptions(downloads[3]?.subscriptions ?? []).toBe("^-!");
    expectSubscriptions(downloads[4]?.subscriptions ?? []).toBe("--^-!");
  });
});

Deno.test("totalProgress adds up the rates, and derives the remaining time", () => {
  runMarbles(({ cold, expectObservable }) => {
    const at = (loaded: number, bytesPerSecond: number) => ({
      ...progress(loaded, 4000),
      bytesPerSecond,
    });
    const one = cold("a-b|", { a: at(0, 0), b: complete(4000) });
    const other = cold("-a-b#", { a: at(1000, 500), b: at(2000, 500) });
    const failing = other.pipe(catchError(() => EMPTY));
    const last = cold("-----a", { a: at(0, 100) });
    expectObservable(
      toTexts(
        of(one, failing, last).pipe(totalProgress()),
        ({ bytesPerSecond, remainingMs }) => `${bytesPerSecond} ${remainingMs}`,
      ),
    ).toBe("abcd-e", {
      a: "0 undefined",
      b: "500 undefined",
      c: "500 undefined",
      d: "500 undefined",
      e: "100 60000",
    });
  });
});

Deno.test("totalProgress has a remaining time of 0 once all downloads are complete", () => {
  runMarbles(({ cold, expectObservable }) => {
    const download = cold("a|", { a: complete(5) });
    expectObservable(toTexts(of(download).pipe(totalProgress()), ({ remainingMs }) => remainingMs))
      .toBe("a|", { a: "0" });
  });
});

Deno.test("totalProgress keeps its counts at events without counts, such as `entry`", () => {
  runMarbles(({ cold, expectObservable }) => {
    const extraction: Observable<TransferEvent> = cold("abc|", {
      a: progress(10, 10),
      b: { type: "entry" },
      c: { type: "complete" },
    });
    expectObservable(
      toTexts(
        of(extraction).pipe(totalProgress()),
        (total) => `${bytes(total)} ${archives(total)}`,
      ),
    ).toBe("abc|", { a: "10/10 0/1", b: "10/10 0/1", c: "10/10 1/1" });
  });
});

Deno.test("totalProgress keeps a download complete that emits events after `complete`", () => {
  runMarbles(({ cold, expectObservable }) => {
    const deletion = cold("ab|", { a: complete(5), b: { type: "deleted", loaded: 5 } });
    expectObservable(
      toTexts(of(deletion).pipe(totalProgress()), (total) => `${bytes(total)} ${archives(total)}`),
    ).toBe("ab|", { a: "5/5 1/1", b: "5/5 1/1" });
  });
});

Deno.test("totalProgress counts a download of unknown length in the total once it is complete", () => {
  runMarbles(({ cold, expectObservable }) => {
    const unknown = cold("ab|", { a: progress(0), b: complete(7) });
    expectObservable(toTexts(of(unknown).pipe(totalProgress()), bytes))
      .toBe("ab|", { a: "0/undefined", b: "7/7" });
  });
});

Deno.test("totalProgress has no remaining time for a download that exceeds its announced length", () => {
  runMarbles(({ cold, expectObservable }) => {
    const more = cold("a", { a: { ...progress(30, 20), bytesPerSecond: 10 } });
    expectObservable(toTexts(of(more).pipe(totalProgress()), ({ remainingMs }) => remainingMs))
      .toBe("a", { a: "undefined" });
  });
});

Deno.test("totalProgress fails with the first download that fails, and unsubscribes from the others", () => {
  runMarbles(({ cold, expectObservable, expectSubscriptions }) => {
    const other = cold<TransferEvent>("---------|");
    expectObservable(of(cold<TransferEvent>("--#"), other).pipe(totalProgress())).toBe("--#");
    expectSubscriptions(other.subscriptions).toBe("^-!");
  });
});

Deno.test("totalProgress does not count a download whose error is caught as completed", () => {
  runMarbles(({ cold, expectObservable }) => {
    const failing = cold<TransferEvent>("--#").pipe(catchError(() => EMPTY));
    const other = cold("---a|", { a: complete(5) });
    expectObservable(toTexts(of(failing, other).pipe(totalProgress()), archives))
      .toBe("---a|", { a: "1/2" });
  });
});

Deno.test("totalProgress counts from 0 for each subscription", () => {
  runMarbles(({ cold, expectObservable }) => {
    const totals$ = toTexts(of(cold("a|", { a: complete(5) })).pipe(totalProgress()), archives);
    expectObservable(totals$).toBe("a|", { a: "1/1" });
    expectObservable(totals$, "----^").toBe("----a|", { a: "1/1" });
  });
});

Deno.test("totalProgress rejects a concurrency of 0 before a download begins", () => {
  runMarbles(({ cold, expectObservable, expectSubscriptions }) => {
    const download = cold<TransferEvent>("|");
    const { message } = new InvalidArgumentError(
      "concurrency",
      "must be a positive integer, got 0",
    );
    const failure$ = of(download).pipe(
      totalProgress(0),
      catchError((error) => {
        assertInstanceOf(error, InvalidArgumentError);
        throw error.message;
      }),
    );
    expectObservable(failure$).toBe("#", undefined, message);
    expectSubscriptions(download.subscriptions).toBe([]);
  });
});
