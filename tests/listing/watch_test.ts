import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { defer, firstValueFrom, map, merge, type Observable, of, retry, take, toArray } from "rxjs";
import { TestScheduler } from "rxjs/testing";
import { ApiConnectionError, apiStatusError, InvalidArgumentError } from "../../src/errors.ts";
import type { WatchEvent, WatchOptions } from "../../src/listing/watch_event.ts";
import { type Pollers, watch$, type Watched } from "../../src/listing/watch.ts";

/** Something to watch: a name, and a state that can change. */
interface Item {
  readonly id: string;
  readonly state: number;
  readonly at: Date;
  readonly last: { readonly at: Date } | null;
}

const request = { method: "GET", requestUrl: "https://api.example/x" };
const offline = new ApiConnectionError("The connection failed", request);
const status = (status: number, retryAfterMs?: number) =>
  apiStatusError({ ...request, status, message: "no", retryAfterMs });

/** A listing, from a text such as `a1 b1`: `a` and `b` in their first state. */
function listing(text: string): Item[] {
  return text.split(" ").filter(Boolean).map((word) => ({
    id: word.charAt(0),
    state: Number(word.slice(1)),
    at: new Date(0),
    last: { at: new Date(0) },
  }));
}

/** A change in short: `+a1`, `a1>a2`, `-a1`. */
function shown(change: WatchEvent<Item>): string {
  const name = ({ id, state }: Item) => `${id}${state}`;
  if (change.type === "changed") return `${name(change.previous)}>${name(change.value)}`;
  return `${change.type === "added" ? "+" : "-"}${name(change.value)}`;
}

function run(test: Parameters<TestScheduler["run"]>[0]): void {
  new TestScheduler((actual, expected) => assertEquals(actual, expected)).run(test);
}

/** A listing that is another one at each poll, the last one for ever. */
function polled(...polls: readonly Observable<readonly Item[]>[]) {
  const counts = { polls: 0 };
  const watched: Watched<Item> = {
    name: "items",
    list$: defer(() => polls[Math.min(counts.polls++, polls.length - 1)] ?? of([])),
    idOf: ({ id }) => id,
    fatalStatuses: [401, 403],
  };
  return { watched, counts };
}

/** The changes of what is polled, in short. */
function changes$(
  watched: Watched<Item>,
  options: WatchOptions = { intervalMs: 10 },
  { pollers = new Map(), random = () => 1 }: {
    readonly pollers?: Pollers<Item>;
    readonly random?: () => number;
  } = {},
): Observable<string> {
  return watch$(pollers, watched, options, random).pipe(map(shown));
}

const values = {
  p: "+a1",
  q: "+b1",
  r: "+c1",
  c: "a1>a2",
  d: "b1>b2",
  x: "-a1",
  y: "-b1",
};
const lists = {
  "0": listing(""),
  a: listing("a1"),
  A: listing("a2"),
  b: listing("b1"),
  w: listing("a1 b1"),
  W: listing("a2 b2 c1"),
};

Deno.test("the first poll emits all as added, the next ones what has changed", () => {
  run(({ cold, expectObservable }) => {
    const { watched } = polled(cold("(w|)", lists), cold("(w|)", lists), cold("(W|)", lists));
    expectObservable(changes$(watched), "30ms !").toBe("(pq) 16ms (cdr)", values);
  });
});

Deno.test("of one poll the removed come first, then the others in the server's order", () => {
  run(({ cold, expectObservable }) => {
    const { watched } = polled(
      cold("(n|)", { n: listing("a1 b1 c1 d1") }),
      cold("(n|)", { n: listing("e1 d2 b1") }),
    );
    expectObservable(changes$(watched).pipe(take(8), toArray(), map((all) => all.join(" "))))
      .toBe("10ms (n|)", { n: "+a1 +b1 +c1 +d1 -a1 -c1 +e1 d1>d2" });
  });
});

Deno.test("with emitInitial: false only what changes after the first poll is emitted", () => {
  run(({ cold, expectObservable }) => {
    const { watched } = polled(cold("(a|)", lists), cold("(W|)", lists));
    const options = { intervalMs: 10, emitInitial: false };
    const changed = { c: "a1>a2", q: "+b2", r: "+c1" };
    expectObservable(changes$(watched, options), "30ms !").toBe("10ms (cqr)", changed);
  });
});

Deno.test("what is the same by value has not changed, dates and nested members included", () => {
  const item = (at: number, lastAt: number | null): Item => ({
    id: "a",
    state: 1,
    at: new Date(at),
    last: lastAt === null ? null : { at: new Date(lastAt) },
  });
  for (
    const [after, count] of [[item(1, 2), 0], [item(2, 2), 1], [item(1, 3), 1], [item(1, null), 1]]
  ) {
    run(({ cold, expectObservable }) => {
      const { watched } = polled(
        cold("(n|)", { n: [item(1, 2)] }),
        cold("(n|)", { n: [after as Item] }),
      );
      const options = { intervalMs: 10, emitInitial: false };
      expectObservable(changes$(watched, options), "15ms !")
        .toBe(count === 0 ? "" : "10ms c", { c: "a1>a1" });
    });
  }
});

Deno.test("the next poll begins an interval after the last one has ended, so that none overlap", () => {
  run(({ cold, expectObservable, expectSubscriptions }) => {
    const slow = cold("30ms (a|)", lists);
    const { watched } = polled(slow);
    expectObservable(changes$(watched), "100ms !").toBe("30ms p", values);
    expectSubscriptions(slow.subscriptions).toBe([
      "^ 29ms !",
      "40ms ^ 29ms !",
      "80ms ^ 19ms !",
    ]);
  });
});

Deno.test("without options the interval is ten seconds", () => {
  run(({ cold, expectObservable }) => {
    const { watched } = polled(cold("(a|)", lists), cold("(A|)", lists));
    expectObservable(changes$(watched, {}), "15s !").toBe("p 9999ms c", values);
  });
});

Deno.test("a poll that fails emits nothing, and the watch goes on from where it was", () => {
  run(({ cold, expectObservable }) => {
    const { watched } = polled(
      cold("(a|)", lists),
      cold("#", lists, offline),
      cold("(w|)", lists),
    );
    // The interval, then the interval and a ceiling as long.
    expectObservable(changes$(watched), "40ms !").toBe("p 29ms q", values);
  });
});

Deno.test("the wait after errors is the interval and a random part of a ceiling that doubles", () => {
  for (
    const [random, polls] of [
      [1, [0, 20, 50, 100, 190]],
      [0.5, [0, 15, 35, 65, 115]],
      [0, [0, 10, 20, 30, 40]],
    ] as const
  ) {
    run(({ cold, expectObservable, expectSubscriptions }) => {
      const failing = cold("#", lists, offline);
      const { watched } = polled(failing, failing, failing, failing, cold("(a|)", lists));
      expectObservable(changes$(watched, undefined, { random: () => random }).pipe(take(1)))
        .toBe(`${polls[4]}ms (p|)`, values);
      expectSubscriptions(failing.subscriptions)
        .toBe(polls.slice(0, 4).map((at) => `${at}ms (^!)`));
    });
  }
});

Deno.test("the wait after errors stops growing at the interval and five minutes", () => {
  run(({ cold, expectObservable }) => {
    const failing = Array<Observable<Item[]>>(20).fill(cold("#", lists, offline));
    const { watched } = polled(...failing, cold("(a|)", lists));
    // 10 + 10, … 10 + 163 840 ms: fifteen waits; then five of 10 + 300 000.
    const ms = 15 * 10 + 10 * (2 ** 15 - 1) + 5 * 300_010;
    expectObservable(changes$(watched).pipe(take(1))).toBe(`${ms}ms (p|)`, values);
  });
});

Deno.test("a poll that succeeds makes the next wait after an error a short one again", () => {
  run(({ cold, expectObservable }) => {
    const [failing, ok] = [cold("#", lists, offline), cold("(a|)", lists)];
    const { watched } = polled(failing, failing, ok, failing, cold("(A|)", lists));
    // 20 and 30 ms, the interval, and 20 ms.
    expectObservable(changes$(watched), "90ms !").toBe("50ms p 29ms c", values);
  });
});

Deno.test("the next poll is not before the server wants it, with Retry-After", () => {
  run(({ cold, expectObservable }) => {
    const { watched } = polled(cold("#", lists, status(429, 7_000)), cold("(a|)", lists));
    expectObservable(changes$(watched), "8s !").toBe("7s p", values);
  });
  run(({ cold, expectObservable }) => {
    // Longer than a timer can wait: as long as it can.
    const { watched } = polled(cold("#", lists, status(429, 2 ** 40)), cold("(a|)", lists));
    expectObservable(changes$(watched).pipe(take(1))).toBe(`${2 ** 31 - 1}ms (p|)`, values);
  });
});

Deno.test("with maxConsecutiveErrors: n the n-th error in a row is fatal", () => {
  run(({ cold, expectObservable }) => {
    const [failing, ok] = [cold("#", lists, offline), cold("(a|)", lists)];
    const options = { intervalMs: 10, maxConsecutiveErrors: 2 };
    // The first error stands alone.
    const { watched } = polled(failing, ok, failing);
    expectObservable(changes$(watched, options)).toBe("20ms p 29ms #", values, offline);
    const once = polled(failing).watched;
    expectObservable(changes$(once, { ...options, maxConsecutiveErrors: 1 }))
      .toBe("#", {}, offline);
  });
});

for (
  const error of [status(401), status(403), new InvalidArgumentError("apiKey", "is missing")]
) {
  Deno.test(`"${error.message}" ends a watch at once`, () => {
    const pollers: Pollers<Item> = new Map();
    run(({ cold, expectObservable }) => {
      const { watched } = polled(cold("(a|)", lists), cold("#", lists, error));
      expectObservable(changes$(watched, undefined, { pollers })).toBe("p 9ms #", values, error);
    });
    assertEquals(pollers.size, 0);
  });
}

for (const error of [status(404), status(422), status(500), new Error("the key store is locked")]) {
  Deno.test(`"${error.message}" does not end a watch`, () => {
    run(({ cold, expectObservable }) => {
      const { watched } = polled(cold("#", lists, error), cold("(a|)", lists));
      expectObservable(changes$(watched), "25ms !").toBe("20ms p", values);
    });
  });
}

Deno.test("unsubscribing stops the polling, and gives up the poll that is under way", () => {
  run(({ cold, expectObservable, expectSubscriptions }) => {
    const slow = cold("20ms (a|)", lists);
    const pollers: Pollers<Item> = new Map();
    expectObservable(changes$(polled(slow).watched, undefined, { pollers }), "35ms !")
      .toBe("20ms p", values);
    expectSubscriptions(slow.subscriptions).toBe(["^ 19ms !", "30ms ^ 4ms !"]);
  });
});

Deno.test("those who watch the same share one poller, and a late one begins with what is there", () => {
  run(({ cold, expectObservable, expectSubscriptions }) => {
    const slow = cold("5ms (a|)", lists);
    const { watched } = polled(slow, cold("(w|)", lists));
    const pollers: Pollers<Item> = new Map();
    const watching = () => changes$(watched, { intervalMs: 10 }, { pollers });
    expectObservable(watching(), "30ms !").toBe("5ms p 9ms q", values);
    expectObservable(watching(), "30ms !").toBe("5ms p 9ms q", values);
    expectObservable(watching(), "8ms ^ 21ms !").toBe("8ms p 6ms q", values);
    expectObservable(watching(), "20ms ^ 9ms !").toBe("20ms (pq)", values);
    const quiet = { intervalMs: 10, emitInitial: false };
    expectObservable(changes$(watched, quiet, { pollers }), "8ms ^ 21ms !").toBe("15ms q", values);
    expectSubscriptions(slow.subscriptions).toBe("^ 4ms !");
  });
});

Deno.test("those who poll differently, or watch something else, do not share", () => {
  run(({ cold, expectObservable, flush }) => {
    const { watched, counts } = polled(cold("(a|)", lists));
    const pollers: Pollers<Item> = new Map();
    expectObservable(
      merge(
        changes$(watched, { intervalMs: 1000 }, { pollers }),
        changes$(watched, { intervalMs: 2000 }, { pollers }),
        changes$(watched, { intervalMs: 1000, maxConsecutiveErrors: 3 }, { pollers }),
        changes$({ ...watched, name: "others" }, { intervalMs: 1000 }, { pollers }),
      ),
      "500ms !",
    ).toBe("(pppp)", values);
    flush();
    assertEquals(counts.polls, 4);
  });
});

Deno.test("the poller goes on while anyone is there, and is forgotten after the last", () => {
  const pollers: Pollers<Item> = new Map();
  run(({ cold, expectObservable, flush }) => {
    const { watched, counts } = polled(cold("(a|)", lists), cold("(A|)", lists));
    const watching = () => changes$(watched, { intervalMs: 10 }, { pollers });
    expectObservable(watching(), "5ms !").toBe("p", values);
    expectObservable(watching(), "15ms !").toBe("p 9ms c", values);
    // Nobody has been there for a while, so that this one polls anew.
    expectObservable(watching(), "50ms ^ 5ms !").toBe("50ms n", { n: "+a2" });
    flush();
    assertEquals(counts.polls, 3);
  });
  assertEquals(pollers.size, 0);
});

Deno.test("a fatal error reaches all who watch, and whoever watches again has a new poller", () => {
  const pollers: Pollers<Item> = new Map();
  run(({ cold, expectObservable, flush }) => {
    const denied = status(401);
    const { watched, counts } = polled(cold("5ms #", lists, denied), cold("(a|)", lists));
    const watching = () => changes$(watched, { intervalMs: 10 }, { pollers });
    expectObservable(watching()).toBe("5ms #", values, denied);
    expectObservable(watching().pipe(retry(1)), "9ms !").toBe("5ms p", values);
    expectObservable(watching(), "7ms ^ 1ms !").toBe("7ms p", values);
    flush();
    assertEquals(counts.polls, 2);
  });
  assertEquals(pollers.size, 0);
});

/** A page in the place of the global `document` until the end of the block. */
function stubbedPage(): EventTarget & { visibilityState: string } & Disposable {
  const page = Object.assign(new EventTarget(), {
    visibilityState: "visible",
    [Symbol.dispose]: () => void Reflect.deleteProperty(globalThis, "document"),
  });
  Object.defineProperty(globalThis, "document", { value: page, configurable: true });
  return page;
}

/** The page is visible, hidden and so on, from the frames of the marbles on. */
function turning(
  page: EventTarget & { visibilityState: string },
  states$: Observable<string>,
): Observable<string> {
  return states$.pipe(map((state) => {
    page.visibilityState = state === "h" ? "hidden" : "visible";
    page.dispatchEvent(new Event("visibilitychange"));
    return state;
  }));
}

for (
  const [what, states, polls] of [
    ["if the interval has passed, at once", "5ms h 39ms v", [0, 45, 55]],
    ["if it has not, when it has", "2ms h 4ms v", [0, 10, 20, 30, 40, 50]],
    ["the first time, too", "30ms v", [30, 40, 50]],
    ["however often it is hidden meanwhile", "5ms h 9ms h 9ms v", [0, 25, 35, 45, 55]],
  ] as const
) {
  Deno.test(`while the page is hidden nothing is polled; then ${what}`, () => {
    using page = stubbedPage();
    if (polls[0] > 0) page.visibilityState = "hidden";
    run(({ cold, expectObservable, expectSubscriptions }) => {
      const listed = cold("(a|)", lists);
      const { watched } = polled(listed);
      const turns$ = turning(page, cold(states));
      expectObservable(turns$).toBe(states);
      expectObservable(changes$(watched), "58ms !").toBe(`${polls[0]}ms p`, values);
      expectSubscriptions(listed.subscriptions).toBe(polls.map((at) => `${at}ms (^!)`));
    });
  });
}

Deno.test("whoever leaves while the page is hidden leaves no listener behind", () => {
  using page = stubbedPage();
  page.visibilityState = "hidden";
  const { watched, counts } = polled(of([]));
  changes$(watched).subscribe().unsubscribe();
  page.visibilityState = "visible";
  page.dispatchEvent(new Event("visibilitychange"));
  assertEquals(counts.polls, 0);
});

for (
  const [argument, options] of [
    ["options", null],
    ["options", 5],
    ["intervalMs", { intervalMs: 0 }],
    ["intervalMs", { intervalMs: Infinity }],
    ["intervalMs", { intervalMs: "10" }],
    ["emitInitial", { emitInitial: 1 }],
    ["maxConsecutiveErrors", { maxConsecutiveErrors: 0 }],
    ["maxConsecutiveErrors", { maxConsecutiveErrors: 2.5 }],
    ["maxConsecutiveErrors", { maxConsecutiveErrors: NaN }],
  ] as const
) {
  Deno.test(`${argument} of ${Deno.inspect(options)} is refused before anything is polled`, async () => {
    const { watched, counts } = polled(of([]));
    const error = await assertRejects(() =>
      firstValueFrom(changes$(watched, options as WatchOptions))
    );
    assertInstanceOf(error, InvalidArgumentError);
    assertEquals(error.argument, argument);
    assertEquals(counts.polls, 0);
  });
}
