import { assertEquals } from "@std/assert";
import { TestScheduler } from "rxjs/testing";

/** Runs a test with marble diagrams, in virtual time. */
export function runMarbles(test: Parameters<TestScheduler["run"]>[0]): void {
  new TestScheduler((actual, expected) => assertEquals(actual, expected)).run(test);
}
