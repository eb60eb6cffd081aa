import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { defer, firstValueFrom, map, merge, type Observable, of, retry, take, toArray } from "rxjs";
import { ApiConnectionError, apiStatusError, InvalidArgumentError } from "../../src/errors.ts";
import type { WatchEvent, WatchOptions } from "../../src/listing/watch_event.ts";
import type { Pollers } from "../../src/listing/pollers.ts";
import { watch$, type WatchTarget } from "../../src/listing/watch.ts";
import { runMarbles } from "../marbles.ts";

/** An item of the watched list: an id, and a state that can change. */
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

/** Parses a list such as `a1 b1`: items `a` and `b`, each in state 1. */
function listing(text: string): Item[] {
  return text.split(" ").filter(Boolean).map((word) => ({
    id: word.charAt(0),
    state: Number(word.slice(1)),
    at: new Date(0),
    last: { at: new Date(0) },
  }));
}

/** Formats an event as `+a1`, `a1>a2` or `-a1`. */
function format(event: WatchEvent<Item>): string {
  const name = ({ id, state }: Item) => `${id}${state}`;
  if (event.type === "changed") return `${name(event.previous)}>${name(event.value)}`;
  return `${event.type === "added" ? "+" : "-"}${name(event.value)}`;
}

/** Makes a target whose polls return these lists in turn, then the last one forever. */
function createTarget(...polls: readonly Observable<readonly Item[]>[]) {
  const counts = { polls: 0 };
  const target: WatchTarget<Item> = {
    name: "items",
    list$: defer(() => polls[Math.min(counts.polls++, polls.length - 1)] ?? of([])),
    idOf: ({ id }) => id,
    isOneRun: false,
  };
  return { target, counts };
}

/** Watches a target and formats the events. */
function changes$(
  target: WatchTarget<Item>,
  options: WatchOptions = { intervalMs: 10 },
  { pollers = new Map(), random = () => 1 }: {
    readonly pollers?: Pollers<Item>;
    readonly random?: () => number;
  } = {},
): Observable<string> {
  return watch$(pollers, target, options, random).pipe(map(format));
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

Deno.test("watch$ emits the items of the first poll as added, then the differences", () => {
  runMarbles(({ cold, expectObservable }) => {
    const { target } = createTarget(cold("(w|)", lists), cold("(w|)", lists), cold("(W|)", lists));
    expectObservable(changes$(target), "30ms !").toBe("(pq) 16ms (cdr)", values);
  });
});

Deno.test("watch$ emits the removed items of a poll first, then the others in the server's order", () => {
  runMarbles(({ cold, expectObservable }) => {
    const { target } = createTarget(
      cold("(n|)", { n: listing("a1 b1 c1 d1") }),
      cold("(n|)", { n: listing("e1 d2 b1") }),
    );
    expectObservable(changes$(target).pipe(take(8), toArray(), map((all) => all.join(" "))))
      .toBe("10ms (n|)", { n: "+a1 +b1 +c1 +d1 -a1 -c1 +e1 d1>d2" });
  });
});

Deno.test("watch$ with emitInitial: false emits only differences from the first poll", () => {
  runMarbles(({ cold, expectObservable }) => {
    const { target } = createTarget(cold("(a|)", lists), cold("(W|)", lists));
    const options = { intervalMs: 10, emitInitial: false };
    const changed = { c: "a1>a2", q: "+b2", r: "+c1" };
    expectObservable(changes$(target, options), "30ms !").toBe("10ms (cqr)", changed);
  });
});

Deno.test("watch$ compares items by value, including dates and nested members", () => {
  const item = (at: number, lastAt: number | null): Item => ({
    id: "a",
    state: 1,
    at: new Date(at),
    last: lastAt === null ? null : { at: new Date(lastAt) },
  });
  for (
    const [after, count] of [[item(1, 2), 0], [item(2, 2), 1], [item(1, 3), 1], [item(1, null), 1]]
  ) {
    runMarbles(({ cold, expectObservable }) => {
      const { target } = createTarget(
        cold("(n|)", { n: [item(1, 2)] }),
        cold("(n|)", { n: [after as Item] }),
      );
      const options = { intervalMs: 10, emitInitial: false };
      expectObservable(changes$(target, options), "15ms !")
        .toBe(count === 0 ? "" : "10ms c", { c: "a1>a1" });
    });
  }
});

Deno.test("watch$ starts a poll one interval after the previous poll has ended", () => {
  runMarbles(({ cold, expectObservable, expectSubscriptions }) => {
    const slow = cold("30ms (a|)", lists);
    const { target } = createTarget(slow);
    expectObservable(changes$(target), "100ms !").toBe("30ms p", values);
    expectSubscriptions(slow.subscriptions).toBe([
      "^ 29ms !",
      "40ms ^ 29ms !",
      "80ms ^ 19ms !",
    ]);
  });
});

Deno.test("watch$ polls every ten seconds by default", () => {
  runMarbles(({ cold, expectObservable }) => {
    const { target } = createTarget(cold("(a|)", lists), cold("(A|)", lists));
    expectObservable(changes$(target, {}), "15s !").toBe("p 9999ms c", values);
  });
});

Deno.test("watch$ emits nothing for a failed poll and compares with the last successful one", () => {
  runMarbles(({ cold, expectObservable }) => {
    const { target } = createTarget(
      cold("(a|)", lists),
      cold("#", lists, offline),
      cold("(w|)", lists),
    );
    // The interval, then the interval plus a backoff of the same length.
    expectObservable(changes$(target), "40ms !").toBe("p 29ms q", values);
  });
});

Deno.test("watch$ waits the interval plus an exponential backoff with jitter after errors", () => {
  for (
    const [random, polls] of [
      [1, [0, 20, 50, 100, 190]],
      [0.5, [0, 15, 35, 65, 115]],
      [0, [0, 10, 20, 30, 40]],
    ] as const
  ) {
    runMarbles(({ cold, expectObservable, expectSubscriptions }) => {
      const failing = cold("#", lists, offline);
      const { target } = createTarget(failing, failing, failing, failing, cold("(a|)", lists));
      expectObservable(changes$(target, undefined, { random: () => random }).pipe(take(1)))
        .toBe(`${polls[4]}ms (p|)`, values);
      expectSubscriptions(failing.subscriptions)
        .toBe(polls.slice(0, 4).map((at) => `${at}ms (^!)`));
    });
  }
});

Deno.test("watch$ limits the backoff after errors to five minutes", () => {
  runMarbles(({ cold, expectObservable }) => {
    const failing = Array<Observable<Item[]>>(20).fill(cold("#", lists, offline));
    const { target } = createTarget(...failing, cold("(a|)", lists));
    // 10 + 10, … 10 + 163 840 ms: fifteen waits; then five of 10 + 300 000.
    const ms = 15 * 10 + 10 * (2 ** 15 - 1) + 5 * 300_010;
    expectObservable(changes$(target).pipe(take(1))).toBe(`${ms}ms (p|)`, values);
  });
});

Deno.test("watch$ resets the backoff after a successful poll", () => {
  runMarbles(({ cold, expectObservable }) => {
    const [failing, ok] = [cold("#", lists, offline), cold("(a|)", lists)];
    const { target } = createTarget(failing, failing, ok, failing, cold("(A|)", lists));
    // 20 and 30 ms, the interval, and 20 ms.
    expectObservable(changes$(target), "90ms !").toBe("50ms p 29ms c", values);
  });
});

Deno.test("watch$ waits at least as long as Retry-After", () => {
  runMarbles(({ cold, expectObservable }) => {
    const { target } = createTarget(cold("#", lists, status(429, 7_000)), cold("(a|)", lists));
    expectObservable(changes$(target), "8s !").toBe("7s p", values);
  });
  runMarbles(({ cold, expectObservable }) => {
    // Longer than the maximum of a timer.
    const { target } = createTarget(cold("#", lists, status(429, 2 ** 40)), cold("(a|)", lists));
    expectObservable(changes$(target).pipe(take(1))).toBe(`${2 ** 31 - 1}ms (p|)`, values);
  });
});

Deno.test("watch$ with maxConsecutiveErrors: n fails with the n-th consecutive error", () => {
  runMarbles(({ cold, expectObservable }) => {
    const [failing, ok] = [cold("#", lists, offline), cold("(a|)", lists)];
    const options = { intervalMs: 10, maxConsecutiveErrors: 2 };
    // The first error is followed by a success.
    const { target } = createTarget(failing, ok, failing);
    expectObservable(changes$(target, options)).toBe("20ms p 29ms #", values, offline);
    const once = createTarget(failing).target;
    expectObservable(changes$(once, { ...options, maxConsecutiveErrors: 1 }))
      .toBe("#", {}, offline);
  });
});

for (
  const error of [status(401), status(403), new InvalidArgumentError("apiKey", "is missing")]
) {
  Deno.test(`watch$ fails at once with "${error.message}"`, () => {
    const pollers: Pollers<Item> = new Map();
    runMarbles(({ cold, expectObservable }) => {
      const { target } = createTarget(cold("(a|)", lists), cold("#", lists, error));
      expectObservable(changes$(target, undefined, { pollers })).toBe("p 9ms #", values, error);
    });
    assertEquals(pollers.size, 0);
  });
}

for (const error of [status(404), status(422), status(500), new Error("the key store is locked")]) {
  Deno.test(`watch$ polls again after "${error.message}"`, () => {
    runMarbles(({ cold, expectObservable }) => {
      const { target } = createTarget(cold("#", lists, error), cold("(a|)", lists));
      expectObservable(changes$(target), "25ms !").toBe("20ms p", values);
    });
  });
}

Deno.test("watch$ stops polling and aborts the poll in flight on unsubscribe", () => {
  runMarbles(({ cold, expectObservable, expectSubscriptions }) => {
    const slow = cold("20ms (a|)", lists);
    const pollers: Pollers<Item> = new Map();
    expectObservable(changes$(createTarget(slow).target, undefined, { pollers }), "35ms !")
      .toBe("20ms p", values);
    expectSubscriptions(slow.subscriptions).toBe(["^ 19ms !", "30ms ^ 4ms !"]);
  });
});

Deno.test("watch$ shares one poller among subscribers; a late one begins with the last poll", () => {
  runMarbles(({ cold, expectObservable, expectSubscriptions }) => {
    const slow = cold("5ms (a|)", lists);
    const { target } = createTarget(slow, cold("(w|)", lists));
    const pollers: Pollers<Item> = new Map();
    const watching = () => changes$(target, { intervalMs: 10 }, { pollers });
    expectObservable(watching(), "30ms !").toBe("5ms p 9ms q", values);
    expectObservable(watching(), "30ms !").toBe("5ms p 9ms q", values);
    expectObservable(watching(), "8ms ^ 21ms !").toBe("8ms p 6ms q", values);
    expectObservable(watching(), "20ms ^ 9ms !").toBe("20ms (pq)", values);
    const quiet = { intervalMs: 10, emitInitial: false };
    expectObservable(changes$(target, quiet, { pollers }), "8ms ^ 21ms !").toBe("15ms q", values);
    expectSubscriptions(slow.subscriptions).toBe("^ 4ms !");
  });
});

Deno.test("watch$ uses separate pollers for other options and other targets", () => {
  runMarbles(({ cold, expectObservable, flush }) => {
    const { target, counts } = createTarget(cold("(a|)", lists));
    const pollers: Pollers<Item> = new Map();
    expectObservable(
      merge(
        changes$(target, { intervalMs: 1000 }, { pollers }),
        changes$(target, { intervalMs: 2000 }, { pollers }),
        changes$(target, { intervalMs: 1000, maxConsecutiveErrors: 3 }, { pollers }),
        changes$({ ...target, name: "others" }, { intervalMs: 1000 }, { pollers }),
      ),
      "500ms !",
    ).toBe("(pppp)", values);
    flush();
    assertEquals(counts.polls, 4);
  });
});

Deno.test("watch$ keeps the poller until the last subscriber unsubscribes", () => {
  const pollers: Pollers<Item> = new Map();
  runMarbles(({ cold, expectObservable, flush }) => {
    const { target, counts } = createTarget(cold("(a|)", lists), cold("(A|)", lists));
    const watching = () => changes$(target, { intervalMs: 10 }, { pollers });
    expectObservable(watching(), "5ms !").toBe("p", values);
    expectObservable(watching(), "15ms !").toBe("p 9ms c", values);
    // No subscriber was left, so that this one starts a new poller.
    expectObservable(watching(), "50ms ^ 5ms !").toBe("50ms n", { n: "+a2" });
    flush();
    assertEquals(counts.polls, 3);
  });
  assertEquals(pollers.size, 0);
});

Deno.test("watch$ sends a fatal error to all subscribers and starts a new poller for the next", () => {
  const pollers: Pollers<Item> = new Map();
  runMarbles(({ cold, expectObservable, flush }) => {
    const denied = status(401);
    const { target, counts } = createTarget(cold("5ms #", lists, denied), cold("(a|)", lists));
    const watching = () => changes$(target, { intervalMs: 10 }, { pollers });
    expectObservable(watching()).toBe("5ms #", values, denied);
    expectObservable(watching().pipe(retry(1)), "9ms !").toBe("5ms p", values);
    expectObservable(watching(), "7ms ^ 1ms !").toBe("7ms p", values);
    flush();
    assertEquals(counts.polls, 2);
  });
  assertEquals(pollers.size, 0);
});

/** Stubs the global `document` with a page until the end of the block. */
function stubPage(): EventTarget & { visibilityState: string } & Disposable {
  const page = Object.assign(new EventTarget(), {
    visibilityState: "visible",
    [Symbol.dispose]: () => void Reflect.deleteProperty(globalThis, "document"),
  });
  Object.defineProperty(globalThis, "document", { value: page, configurable: true });
  return page;
}

/** Makes the page visible (`v`) or hidden (`h`) at the frames of the marbles. */
function setVisibility(
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
    ["at once if the interval has passed", "5ms h 39ms v", [0, 45, 55]],
    ["after the rest of the interval", "2ms h 4ms v", [0, 10, 20, 30, 40, 50]],
    ["for the first time", "30ms v", [30, 40, 50]],
    ["once, however often it was hidden", "5ms h 9ms h 9ms v", [0, 25, 35, 45, 55]],
  ] as const
) {
  Deno.test(`watch$ does not poll while the page is hidden, then polls ${what}`, () => {
    using page = stubPage();
    if (polls[0] > 0) page.visibilityState = "hidden";
    runMarbles(({ cold, expectObservable, expectSubscriptions }) => {
      const list$ = cold("(a|)", lists);
      const { target } = createTarget(list$);
      const visibility$ = setVisibility(page, cold(states));
      expectObservable(visibility$).toBe(states);
      expectObservable(changes$(target), "58ms !").toBe(`${polls[0]}ms p`, values);
      expectSubscriptions(list$.subscriptions).toBe(polls.map((at) => `${at}ms (^!)`));
    });
  });
}

Deno.test("watch$ removes its listener on unsubscribe while the page is hidden", () => {
  using page = stubPage();
  page.visibilityState = "hidden";
  const { target, counts } = createTarget(of([]));
  changes$(target).subscribe().unsubscribe();
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
  Deno.test(`watch$ rejects ${argument} of ${Deno.inspect(options)} before it polls`, async () => {
    const { target, counts } = createTarget(of([]));
    const error = await assertRejects(() =>
      firstValueFrom(changes$(target, options as WatchOptions))
    );
    assertInstanceOf(error, InvalidArgumentError);
    assertEquals(error.argument, argument);
    assertEquals(counts.polls, 0);
  });
}
