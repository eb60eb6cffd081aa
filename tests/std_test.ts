/** What the tests rely on in `@std`, so that it holds wherever `deno task test` takes it from. */
import { assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { toArrayBuffer, toText } from "@std/streams";
import { assertSpyCalls, spy, stub } from "@std/testing/mock";
import { FakeTime } from "@std/testing/time";

const different: Record<string, [unknown, unknown]> = {
  "an undefined property and none": [{ a: undefined }, {}],
  "an empty slot and undefined": [[, 1], [undefined, 1]],
  "dates": [new Date(1), new Date(2)],
  "bytes": [new Uint8Array([1]), new Uint8Array([2])],
  "bytes and the same numbers": [new Uint8Array([1]), [1]],
  "maps": [new Map([[1, { a: 1 }]]), new Map([[1, { a: 2 }]])],
  "sets": [new Set([1]), new Set([2])],
  "URLs": [new URL("http://a/1"), new URL("http://a/2")],
  "an instance and a plain object": [new (class Point {})(), {}],
};
for (const [name, [one, other]] of Object.entries(different)) {
  Deno.test(`assertEquals tells apart: ${name}`, () => {
    assertThrows(() => assertEquals(one, other));
  });
}

Deno.test("assertEquals compares by value, through every level", () => {
  const value = () => ({
    at: new Date(1),
    bytes: new Uint8Array([1, 2]),
    nested: [{ missing: undefined, none: null, nan: NaN }],
    byName: new Map([["a", new Set([1])]]),
  });
  assertEquals(value(), value());
});

Deno.test("assertThrows returns the error that it expected", () => {
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

Deno.test("assertRejects returns the error that it expected", async () => {
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

Deno.test("a stream is read to its end", async () => {
  const bytes = () => new Blob(["hé"]).stream();
  assertEquals(await toText(bytes()), "hé");
  assertEquals(new Uint8Array(await toArrayBuffer(bytes())), new Uint8Array([0x68, 0xc3, 0xa9]));
});

Deno.test("a stub replaces a method until its block ends, and records the calls", async () => {
  const original = globalThis.fetch;
  {
    using fake = stub(globalThis, "fetch", () => Promise.resolve(new Response("fake")));
    assertEquals(await (await fetch("https://example.com/")).text(), "fake");
    assertSpyCalls(fake, 1);
    assertEquals(fake.calls[0]?.args[0], "https://example.com/");
  }
  assertEquals(globalThis.fetch, original);
});

Deno.test("a spy records what it is called with", () => {
  const double = spy((value: number) => value * 2);
  assertEquals(double(2), 4);
  assertEquals(double.calls.map(({ args }) => args), [[2]]);
});

Deno.test("a timer fires at its own time, however far the clock is moved", () => {
  using time = new FakeTime(1_000);
  const firedAt: number[] = [];
  const interval = setInterval(() => firedAt.push(Date.now()), 10);
  time.tick(25);
  clearInterval(interval);
  assertEquals(firedAt, [1_010, 1_020]);
  assertEquals(time.now, 1_025);
});

Deno.test("tickAsync lets promises settle before it moves the clock", async () => {
  using time = new FakeTime(0);
  let firedAt = NaN;
  Promise.resolve().then(() => setTimeout(() => firedAt = Date.now(), 10));
  await time.tickAsync(10);
  assertEquals(firedAt, 10);
});

Deno.test("AbortSignal.timeout keeps the fake time", () => {
  using time = new FakeTime(0);
  const signal = AbortSignal.timeout(10);
  time.tick(9);
  assertEquals(signal.aborted, false);
  time.tick(1);
  assertInstanceOf(signal.reason, DOMException);
  assertEquals(signal.reason.name, "TimeoutError");
});

Deno.test("time is real again once FakeTime is restored", () => {
  const before = globalThis.setTimeout;
  new FakeTime(0).restore();
  assertEquals(globalThis.setTimeout, before);
});
