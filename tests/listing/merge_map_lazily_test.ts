import { assertEquals } from "@std/assert";
import { lastValueFrom, of, reduce, take, throwError } from "rxjs";
import { TestScheduler } from "rxjs/testing";
import { mergeMapLazily } from "../../src/listing/merge_map_lazily.ts";

function run(test: Parameters<TestScheduler["run"]>[0]): void {
  new TestScheduler((actual, expected) => assertEquals(actual, expected)).run(test);
}

/** Gives values, and says which were taken and whether the rest was given up. */
function* noting(values: Iterable<string>, notes: string[]): Iterable<string> {
  try {
    for (const value of values) {
      notes.push(value);
      yield value;
    }
    notes.push("end");
  } finally {
    notes.push("closed");
  }
}

Deno.test("a value is taken only once there is room for it", () => {
  const notes: string[] = [];
  run(({ cold, expectObservable, flush }) => {
    const merged$ = mergeMapLazily(noting("abc", notes), (value) => cold(`9ms (${value}|)`), 2);
    expectObservable(merged$, "-----!").toBe("");
    flush();
  });
  assertEquals(notes, ["a", "b", "closed"]);
});

Deno.test("what comes out comes as it comes, and completes with the last", () => {
  run(({ cold, expectObservable }) => {
    const delays: Record<string, string> = { a: "9ms (a|)", b: "-(b|)", c: "-(c|)" };
    expectObservable(mergeMapLazily("abc", (value) => cold(delays[value] ?? ""), 2))
      .toBe("-bc 6ms (a|)");
  });
});

Deno.test("an inner error ends the others and takes no more values", () => {
  const notes: string[] = [];
  run(({ cold, expectObservable, expectSubscriptions, flush }) => {
    const slow = cold("---------|");
    const merged$ = mergeMapLazily(
      noting("abc", notes),
      (value) => value === "a" ? slow : cold("--#"),
      2,
    );
    expectObservable(merged$).toBe("--#");
    expectSubscriptions(slow.subscriptions).toBe("^-!");
    flush();
  });
  assertEquals(notes, ["a", "b", "closed"]);
});

Deno.test("no values complete at once", () => {
  run(({ expectObservable }) => {
    expectObservable(mergeMapLazily([], () => of(1), 2)).toBe("|");
  });
});

Deno.test("an iterator that throws fails", () => {
  run(({ expectObservable }) => {
    const broken = {
      *[Symbol.iterator]() {
        yield 1;
        throw "broken";
      },
    };
    expectObservable(mergeMapLazily(broken, () => of("a"), 1)).toBe("(a#)", undefined, "broken");
    expectObservable(mergeMapLazily([1], () => throwError(() => "x"), 1)).toBe("#", undefined, "x");
  });
});

Deno.test("an iterator that throws later fails, and what is under way ends", () => {
  run(({ cold, expectObservable, expectSubscriptions }) => {
    const slow = cold("---------|");
    const broken = {
      *[Symbol.iterator]() {
        yield slow;
        yield cold("--(b|)");
        throw "broken";
      },
    };
    expectObservable(mergeMapLazily(broken, (value) => value, 2)).toBe(
      "--(b#)",
      undefined,
      "broken",
    );
    expectSubscriptions(slow.subscriptions).toBe("^-!");
  });
});

Deno.test("a hundred thousand that complete at once need no deep stack", async () => {
  const values = Array.from({ length: 100_000 }, () => 1);
  const sum$ = mergeMapLazily(values, of, 4).pipe(reduce((sum, value) => sum + value, 0));
  assertEquals(await lastValueFrom(sum$), 100_000);
});

Deno.test("who takes some of many that complete at once takes no more", () => {
  const notes: string[] = [];
  mergeMapLazily(noting("abc", notes), (value) => of(value), 2).pipe(take(2)).subscribe();
  assertEquals(notes, ["a", "b", "closed"]);
});
