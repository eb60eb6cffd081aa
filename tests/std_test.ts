/** The behaviour of `@std` that the tests rely on, with every source that `deno task test` supports. */
import {
  assertEquals,
  assertInstanceOf,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { toText } from "@std/streams";
import { assertSpyCalls, spy, stub } from "@std/testing/mock";
import { FakeTime } from "@std/testing/time";

/** A class without own enumerable properties. */
class Temperature {
  readonly #celsius;
  constructor(celsius: number) {
    this.#celsius = celsius;
  }
  get fahrenheit(): number {
    return this.#celsius * 1.8 + 32;
  }
}

const hidden = (value: number) => Object.defineProperty(new Temperature(1), "hidden", { value });
const buffer = (...bytes: number[]) => new Uint8Array(bytes).buffer;
const errorsWithEqualStacks = () => [1, 2].map(() => new Error("same")) as [Error, Error];

const DIFFERENT: Record<string, [unknown, unknown]> = {
  "an undefined and a missing property": [{ a: undefined }, {}],
  "an empty slot and undefined": [[, 1], [undefined, 1]],
  "dates": [new Date(1), new Date(2)],
  "bytes": [new Uint8Array([1]), new Uint8Array([2])],
  "bytes and the same numbers": [new Uint8Array([1]), [1]],
  "maps": [new Map([[1, { a: 1 }]]), new Map([[1, { a: 2 }]])],
  "sets": [new Set([1]), new Set([2])],
  "URLs": [new URL("http://a/1"), new URL("http://a/2")],
  "an instance and a plain object": [new (class Point {})(), {}],
  "errors with different stacks": [new Error("same"), new Error("same")],
  "errors with different stacks in an object": [{ error: new Error("same") }, {
    error: new Error("same"),
  }],
  "errors with different stacks in a map": [
    new Map([[1, new Error("same")]]),
    new Map([[1, new Error("same")]]),
  ],
  "causes with different stacks": [
    { cause: new Error("same", { cause: new Error("cause") }) },
    { cause: new Error("same", { cause: new Error("cause") }) },
  ],
  "instances with different getters": [new Temperature(1), new Temperature(2)],
  "instances with different hidden properties": [hidden(1), hidden(2)],
  "symbol properties": [{ [Symbol.for("key")]: 1 }, { [Symbol.for("key")]: 2 }],
  "functions": [() => 1, () => 1],
  "headers": [new Headers({ a: "1" }), new Headers({ a: "2" })],
  "buffers": [buffer(1), buffer(2)],
  "views of different parts of a buffer": [
    new DataView(buffer(1, 1), 0, 1),
    new DataView(buffer(1, 1), 1, 1),
  ],
  "a boxed number and the number": [Object(1), 1],
};
for (const [name, [one, other]] of Object.entries(DIFFERENT)) {
  Deno.test(`assertEquals fails on ${name}`, () => {
    assertThrows(() => assertEquals(one, other));
  });
}

const EQUAL: Record<string, [unknown, unknown]> = {
  "0 and -0": [0, -0],
  "objects with and without a prototype": [{}, Object.create(null)],
  "an error and itself": Array(2).fill(new Error("same")) as [Error, Error],
  "errors with equal stacks": errorsWithEqualStacks(),
  "a function and itself": Array(2).fill(() => 1) as [unknown, unknown],
};
for (const [name, [one, other]] of Object.entries(EQUAL)) {
  Deno.test(`assertNotEquals fails on ${name}`, () => {
    assertThrows(() => assertNotEquals(one, other));
  });
}

for (const [name, [one, other]] of Object.entries(DIFFERENT)) {
  Deno.test(`assertNotEquals passes on ${name}`, () => {
    assertNotEquals(one, other);
  });
}

Deno.test("assertEquals passes on errors with equal stacks", () => {
  const [one, other] = errorsWithEqualStacks();
  assertEquals(one, other);
});

Deno.test("assertEquals compares objects that refer to themselves", () => {
  const loop = (name: string) => {
    const node: { name: string; next?: unknown } = { name };
    node.next = node;
    return node;
  };
  assertEquals(loop("a"), loop("a"));
  assertThrows(() => assertEquals(loop("a"), loop("b")));
});

Deno.test("assertEquals throws for weak collections", () => {
  assertThrows(() => assertEquals(new WeakSet(), new WeakSet()), TypeError);
  assertThrows(() => assertNotEquals(new WeakMap(), new WeakMap()), TypeError);
});

Deno.test("assertEquals compares by value at every level", () => {
  const value = () => ({
    at: new Date(1),
    bytes: new Uint8Array([1, 2]),
    nested: [{ missing: undefined, none: null, nan: NaN }],
    byName: new Map([["a", new Set([1])]]),
  });
  assertEquals(value(), value());
});

Deno.test("assertThrows returns the expected error", () => {
  const error = new RangeError("out of range");
  const caught = assertThrows(
    () => {
      throw error;
    },
    RangeError,
    "range",
  );
  assertEquals(caught, error);
});

Deno.test("assertThrows fails when nothing is thrown", () => {
  assertThrows(() => assertThrows(() => {}), Error);
});

Deno.test("assertRejects returns the expected error", async () => {
  const error = new RangeError("out of range");
  assertEquals(await assertRejects(() => Promise.reject(error), Error, "out of"), error);
});

Deno.test("assertRejects fails on an error of another class", async () => {
  const inner = () => assertRejects(() => Promise.reject(new RangeError()), TypeError);
  await assertRejects(inner, Error, "TypeError");
});

Deno.test("assertRejects fails on another message", async () => {
  const inner = () => assertRejects(() => Promise.reject(new Error("one")), Error, "other");
  await assertRejects(inner, Error, "other");
});

Deno.test("assertRejects fails when nothing is rejected", async () => {
  await assertRejects(() => assertRejects(() => Promise.resolve()));
});

Deno.test("assertRejects fails when the function throws instead", async () => {
  await assertRejects(() =>
    assertRejects(() => {
      throw new Error("synchronous");
    })
  );
});

Deno.test("assertRejects fails on a value that is not a promise", async () => {
  const notAsync = (() => "value") as unknown as () => Promise<void>;
  await assertRejects(() => assertRejects(notAsync));
});

Deno.test("assertRejects and assertThrows with a class fail on values that are not errors", async () => {
  await assertRejects(() => assertRejects(() => Promise.reject("text"), Error));
  assertThrows(() =>
    assertThrows(() => {
      throw "text";
    }, Error)
  );
});

Deno.test("toText reads a stream to its end", async () => {
  assertEquals(await toText(new Blob(["hé"]).stream()), "hé");
  assertEquals(await toText(ReadableStream.from(["h", "é"])), "hé");
});

Deno.test("toText rejects a locked stream, and a value that is not a stream", async () => {
  const locked = new Blob(["text"]).stream();
  locked.getReader();
  await assertRejects(() => toText(locked), TypeError);
  // @ts-expect-error: only web streams are supported
  await assertRejects(async () => await toText(["text"].values()), TypeError);
});

Deno.test("stub replaces a method until its block ends, and records the calls", async () => {
  const original = globalThis.fetch;
  {
    using fake = stub(globalThis, "fetch", () => Promise.resolve(new Response("fake")));
    assertEquals(await (await fetch("https://example.com/")).text(), "fake");
    assertSpyCalls(fake, 1);
    assertEquals(fake.calls[0]?.args[0], "https://example.com/");
  }
  assertEquals(globalThis.fetch, original);
});

Deno.test("stub calls its function with the object, and records results and errors", () => {
  const list = { items: [1], at: (_index: number): number | undefined => undefined };
  using fake = stub(list, "at", function (index) {
    if (index > 0) throw new RangeError("out of range");
    return this.items[index];
  });
  assertEquals(list.at(0), 1);
  const error = assertThrows(() => list.at(1), RangeError);
  assertEquals(fake.calls, [{ args: [0], self: list, returned: 1 }, {
    args: [1],
    self: list,
    error,
  }]);
});

Deno.test("spy records a call after it ends", () => {
  const double = spy((depth: number): number => {
    if (depth > 0) double(depth - 1);
    return double.calls.length;
  });
  assertEquals(double(1), 1);
  assertEquals(double.calls.map(({ args }) => args), [[0], [1]]);
});

Deno.test("stub throws for a property that is not a method, or is a stub already", () => {
  const settings: { limit: number; run: () => void } = { limit: 1, run: () => {} };
  assertThrows(() => stub(settings, "limit", () => {}), Error, "not an instance method");
  using _run = stub(settings, "run", () => {});
  assertThrows(() => stub(settings, "run", () => {}), Error, "already");
  const frozen = Object.freeze({ run: () => {} });
  assertThrows(() => stub(frozen, "run", () => {}), Error, "non-configurable");
});

Deno.test("restore restores the original property, and throws the second time", () => {
  const settings = Object.create({ run: () => "inherited" });
  const fake = stub(settings, "run", () => "fake");
  assertEquals(settings.run(), "fake");
  assertEquals(Object.keys(settings), []);
  assertThrows(() => settings.run = () => "assigned", TypeError);
  fake.restore();
  assertEquals(settings.run(), "inherited");
  assertThrows(() => fake.restore(), Error, "already restored");
});

Deno.test("restore throws for a spy of a function", () => {
  assertThrows(() => spy().restore(), Error, "cannot be restored");
});

Deno.test("assertSpyCalls fails on fewer and on more calls", () => {
  const double = spy();
  double();
  assertThrows(() => assertSpyCalls(double, 0));
  assertThrows(() => assertSpyCalls(double, 2));
});

Deno.test("spy records the arguments of calls", () => {
  const double = spy((value: number) => value * 2);
  assertEquals(double(2), 4);
  assertEquals(double.calls.map(({ args }) => args), [[2]]);
});

Deno.test("FakeTime fires a timer at its time within a longer tick", () => {
  using time = new FakeTime(1_000);
  const firedAt: number[] = [];
  const interval = setInterval(() => firedAt.push(Date.now()), 10);
  time.tick(25);
  clearInterval(interval);
  assertEquals(firedAt, [1_010, 1_020]);
  assertEquals(time.now, 1_025);
});

Deno.test("tickAsync lets promises settle before it advances the clock", async () => {
  using time = new FakeTime(0);
  let firedAt = NaN;
  Promise.resolve().then(() => setTimeout(() => firedAt = Date.now(), 10));
  await time.tickAsync(10);
  assertEquals(firedAt, 10);
});

Deno.test("FakeTime controls AbortSignal.timeout", () => {
  using time = new FakeTime(0);
  const signal = AbortSignal.timeout(10);
  time.tick(9);
  assertEquals(signal.aborted, false);
  time.tick(1);
  assertInstanceOf(signal.reason, DOMException);
  assertEquals(signal.reason.name, "TimeoutError");
});

Deno.test("FakeTime ignores a stub of Date.now", () => {
  using time = new FakeTime(1_000);
  using _now = stub(Date, "now", () => 7);
  time.tick(1);
  assertEquals(Date.now(), 1_001);
  assertEquals(new Date().getTime(), 1_001);
  assertEquals(Date(), new Date(1_001).toString());
  assertInstanceOf(new Date(), Date);
});

Deno.test("FakeTime fires timers in the order of their times, then of their creation", () => {
  using time = new FakeTime(0);
  const fired: string[] = [];
  setTimeout(() => fired.push("20"), 20);
  setTimeout(() => fired.push("10, first"), 10);
  setTimeout((word) => fired.push(word), 10, "10, second");
  time.tick(20);
  assertEquals(fired, ["10, first", "10, second", "20"]);
});

Deno.test("FakeTime fires an interval before a timer that it sets for the same time", () => {
  using time = new FakeTime(0);
  const fired: string[] = [];
  const interval = setInterval(() => {
    fired.push("interval");
    setTimeout(() => fired.push("timer"), 10);
  }, 10);
  time.tick(20);
  clearInterval(interval);
  assertEquals(fired, ["interval", "interval", "timer"]);
});

Deno.test("FakeTime fires a timer that another timer sets for now within the same tick", () => {
  using time = new FakeTime(0);
  const firedAt: number[] = [];
  setTimeout(() => setTimeout(() => firedAt.push(Date.now()), 0), 10);
  time.tick(10);
  assertEquals(firedAt, [10]);
});

Deno.test("FakeTime supports delays above 2^31", () => {
  using time = new FakeTime(0);
  let firedAt = NaN;
  setTimeout(() => firedAt = Date.now(), 2 ** 32);
  time.tick(2 ** 32 - 1);
  assertEquals(firedAt, NaN);
  time.tick(1);
  assertEquals(firedAt, 2 ** 32);
});

Deno.test("clearTimeout and clearInterval clear either kind of timer", () => {
  using time = new FakeTime(0);
  const fired: string[] = [];
  clearInterval(setTimeout(() => fired.push("timer"), 10));
  clearTimeout(setInterval(() => fired.push("interval"), 10));
  clearTimeout(undefined);
  time.tick(10);
  assertEquals(fired, []);
});

Deno.test("tick stops the clock at the time of a timer that throws", () => {
  using time = new FakeTime(0);
  const fired: string[] = [];
  setTimeout(() => {
    throw new RangeError("out of range");
  }, 10);
  setTimeout(() => fired.push("later"), 20);
  assertThrows(() => time.tick(30), RangeError, "out of range");
  assertEquals(time.now, 10);
  assertEquals(fired, []);
});

Deno.test("tick throws for a negative time", () => {
  using time = new FakeTime(0);
  assertThrows(() => time.tick(-1), RangeError);
});

Deno.test("FakeTime throws for an invalid start, and while time is fake", () => {
  assertThrows(() => new FakeTime(new Date(NaN)), TypeError);
  using _time = new FakeTime(0);
  assertThrows(() => new FakeTime(0), Error, "already faked");
});

Deno.test("restore throws the second time, and fake timers throw after it", () => {
  const time = new FakeTime(0);
  const { setTimeout, clearInterval } = globalThis;
  time.restore();
  assertThrows(() => time.restore(), Error, "already restored");
  assertThrows(() => setTimeout(() => {}, 1), Error, "not faked");
  assertThrows(() => clearInterval(1), Error, "not faked");
});

Deno.test("restore restores AbortSignal.timeout", () => {
  const before = AbortSignal.timeout;
  const time = new FakeTime(0);
  assertNotEquals(AbortSignal.timeout, before);
  time.restore();
  assertEquals(AbortSignal.timeout, before);
});

Deno.test("restore restores the timers", () => {
  const before = globalThis.setTimeout;
  new FakeTime(0).restore();
  assertEquals(globalThis.setTimeout, before);
});
