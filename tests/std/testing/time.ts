/** Backs `FakeTime` of `@std/testing/time` where JSR can't be reached. */
// @ts-types="npm:@types/sinonjs__fake-timers@^15.0.1"
import { install } from "npm:@sinonjs/fake-timers@^15.5.0";
import { stub } from "./mock.ts";

const realSetTimeout = globalThis.setTimeout;

/** Fakes what `@std`'s does: `Date`, time-outs, intervals and `AbortSignal.timeout`. */
export class FakeTime implements Disposable {
  readonly #clock;
  readonly #timeout;

  constructor(start: number | Date = Date.now()) {
    this.#clock = install({
      now: start,
      toFake: ["Date", "setTimeout", "clearTimeout", "setInterval", "clearInterval"],
    });
    this.#timeout = stub(AbortSignal, "timeout", (milliseconds) => {
      const controller = new AbortController();
      const reason = new DOMException("Signal timed out.", "TimeoutError");
      setTimeout(() => controller.abort(reason), milliseconds);
      return controller.signal;
    });
  }

  get now(): number {
    return this.#clock.now;
  }

  tick(milliseconds = 0): void {
    this.#clock.tick(milliseconds);
  }

  /** Not the clock's own `tickAsync`: `@std`'s lets no promise settle between two timers. */
  async tickAsync(milliseconds = 0): Promise<void> {
    await this.runMicrotasks();
    this.tick(milliseconds);
  }

  runMicrotasks(): Promise<void> {
    return new Promise((resolve) => realSetTimeout(resolve, 0));
  }

  restore(): void {
    this.#timeout.restore();
    this.#clock.uninstall();
  }

  [Symbol.dispose](): void {
    this.restore();
  }
}
