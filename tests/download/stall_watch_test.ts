import { assertEquals } from "@std/assert";
import { stub } from "@std/testing/mock";
import { FakeTime } from "@std/testing/time";
import { asyncScheduler } from "rxjs";
import { stallWatch } from "../../src/download/stall_watch.ts";

/** A watch with a limit of one second, and the count of its reports. */
function countingWatch() {
  let stalls = 0;
  return { watch: stallWatch(1000, () => stalls++), stalls: () => stalls };
}

Deno.test("stallWatch reports a wait that reaches the limit, once", () => {
  using time = new FakeTime();
  const { watch, stalls } = countingWatch();
  watch.begin();
  time.tick(999);
  assertEquals(stalls(), 0);
  time.tick(1);
  assertEquals(stalls(), 1);
  time.tick(10_000);
  assertEquals(stalls(), 1);
});

Deno.test("stallWatch does not count the time between waits", () => {
  using time = new FakeTime();
  const { watch, stalls } = countingWatch();
  for (let waits = 0; waits < 5; waits++) {
    watch.begin();
    time.tick(900);
    watch.end();
    time.tick(5000);
  }
  assertEquals(stalls(), 0);
  watch.stop();
});

Deno.test("stallWatch gives a wait that begins late the whole limit", () => {
  using time = new FakeTime();
  const { watch, stalls } = countingWatch();
  time.tick(600);
  watch.begin();
  time.tick(999);
  assertEquals(stalls(), 0);
  time.tick(1);
  assertEquals(stalls(), 1);
});

Deno.test("stallWatch reports nothing once it is stopped", () => {
  using time = new FakeTime();
  const { watch, stalls } = countingWatch();
  watch.begin();
  watch.stop();
  time.tick(10_000);
  assertEquals(stalls(), 0);
});

Deno.test("stallWatch does not lengthen a wait if the clock is set back", () => {
  using time = new FakeTime();
  const { watch, stalls } = countingWatch();
  watch.begin();
  const { now } = asyncScheduler; // not `Date.now`, since FakeTime ignores a stub of it
  using _hour = stub(asyncScheduler, "now", () => now() - 3_600_000);
  time.tick(1000);
  assertEquals(stalls(), 0);
  time.tick(1000);
  assertEquals(stalls(), 1);
});
