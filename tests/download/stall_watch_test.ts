import { assertEquals } from "@std/assert";
import { stub } from "@std/testing/mock";
import { FakeTime } from "@std/testing/time";
import { asyncScheduler } from "rxjs";
import { stallWatch } from "../../src/download/stall_watch.ts";

/** A watch with a limit of a second that counts its calls. */
function counted() {
  let stalls = 0;
  return { watch: stallWatch(1000, () => stalls++), stalls: () => stalls };
}

Deno.test("a wait that reaches the limit is a stall, once", () => {
  using time = new FakeTime();
  const { watch, stalls } = counted();
  watch.begin();
  time.tick(999);
  assertEquals(stalls(), 0);
  time.tick(1);
  assertEquals(stalls(), 1);
  time.tick(10_000);
  assertEquals(stalls(), 1);
});

Deno.test("time between waits does not count, however long it is", () => {
  using time = new FakeTime();
  const { watch, stalls } = counted();
  for (let waits = 0; waits < 5; waits++) {
    watch.begin();
    time.tick(900);
    watch.end();
    time.tick(5000);
  }
  assertEquals(stalls(), 0);
  watch.stop();
});

Deno.test("a wait that begins late is given the whole limit", () => {
  using time = new FakeTime();
  const { watch, stalls } = counted();
  time.tick(600);
  watch.begin();
  time.tick(999);
  assertEquals(stalls(), 0);
  time.tick(1);
  assertEquals(stalls(), 1);
});

Deno.test("a watch that was stopped says nothing", () => {
  using time = new FakeTime();
  const { watch, stalls } = counted();
  watch.begin();
  watch.stop();
  time.tick(10_000);
  assertEquals(stalls(), 0);
});

Deno.test("a clock that is set back by an hour does not lengthen a wait by an hour", () => {
  using time = new FakeTime();
  const { watch, stalls } = counted();
  watch.begin();
  const { now } = asyncScheduler; // not `Date.now`, since FakeTime ignores a stub of it
  using _hour = stub(asyncScheduler, "now", () => now() - 3_600_000);
  time.tick(1000);
  assertEquals(stalls(), 0);
  time.tick(1000);
  assertEquals(stalls(), 1);
});
