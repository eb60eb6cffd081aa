import { assertEquals } from "@std/assert";
import { map } from "rxjs";
import { TestScheduler } from "rxjs/testing";
import { toDownloadEvents } from "../../src/download/progress.ts";

const noBody = () => undefined;

function run(test: Parameters<TestScheduler["run"]>[0]): void {
  new TestScheduler((actual, expected) => assertEquals(actual, expected)).run(test);
}

function progress(
  loaded: number,
  total: number | undefined,
  bytesPerSecond: number,
  remainingMs: number | undefined,
) {
  return { type: "progress" as const, loaded, total, bytesPerSecond, remainingMs };
}

Deno.test("progress is emitted at most once an interval, the first and the last always", () => {
  run(({ cold, expectObservable }) => {
    const counts = { a: 0, b: 10, c: 20, d: 40 };
    const loaded$ = cold("ab-c-d|", counts).pipe(
      toDownloadEvents(40, 3, noBody),
      map(({ type, loaded }) => `${type} ${loaded}`),
    );
    expectObservable(loaded$).toBe("a--c--(ef|)", {
      a: "progress 0",
      c: "progress 20",
      e: "progress 40",
      f: "complete 40",
    });
  });
});

Deno.test("a last count that was emitted already is not emitted again", () => {
  run(({ cold, expectObservable }) => {
    const loaded$ = cold("a--b|", { a: 0, b: 5 }).pipe(
      toDownloadEvents(5, 3, noBody),
      map(({ type, loaded }) => `${type} ${loaded}`),
    );
    expectObservable(loaded$).toBe("a--b(c|)", {
      a: "progress 0",
      b: "progress 5",
      c: "complete 5",
    });
  });
});

Deno.test("rate and remaining time follow from the bytes of the last seconds", () => {
  run(({ cold, expectObservable }) => {
    const loaded$ = cold("a 999ms b 999ms c|", { a: 0, b: 1000, c: 3000 }).pipe(
      toDownloadEvents(6000, 0, noBody),
    );
    expectObservable(loaded$).toBe("a 999ms b 999ms c(d|)", {
      a: progress(0, 6000, 0, undefined),
      b: progress(1000, 6000, 1000, 5000),
      c: progress(3000, 6000, 1500, 2000),
      d: { type: "complete", loaded: 3000, body: undefined },
    });
  });
});

Deno.test("what is older than five seconds does not count for the rate", () => {
  run(({ cold, expectObservable }) => {
    const loaded$ = cold("a 999ms b 4999ms c 999ms d|", { a: 0, b: 90_000, c: 95_000, d: 96_000 })
      .pipe(
        toDownloadEvents(undefined, 0, noBody),
        map((event) => event.type === "progress" ? event.bytesPerSecond : event.type),
      );
    expectObservable(loaded$).toBe("a 999ms b 4999ms c 999ms d(e|)", {
      a: 0,
      b: 90_000,
      c: 1_000,
      d: 1_000,
      e: "complete",
    });
  });
});

Deno.test("at the end nothing remains, and where the total is unknown that cannot be said", () => {
  run(({ cold, expectObservable }) => {
    const remaining = (total: number | undefined) =>
      cold("a--b|", { a: 0, b: 9 }).pipe(
        toDownloadEvents(total, 0, noBody),
        map((event) => event.type === "progress" ? event.remainingMs : event.type),
      );
    const complete = "complete" as const;
    expectObservable(remaining(9)).toBe("a--b(c|)", { a: undefined, b: 0, c: complete });
    expectObservable(remaining(undefined)).toBe("a--b(c|)", {
      a: undefined,
      b: undefined,
      c: complete,
    });
  });
});

Deno.test("an error passes, and nothing is said to be complete", () => {
  run(({ cold, expectObservable }) => {
    const loaded$ = cold("a--#", { a: 0 }).pipe(
      toDownloadEvents(9, 1, noBody),
      map(({ type }) => type),
    );
    expectObservable(loaded$).toBe("a--#", { a: "progress" });
  });
});
