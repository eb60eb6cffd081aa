/** Replaces `FakeTime` of `@std/testing/time` where JSR cannot be reached. */

export class TimeError extends Error {
  override readonly name = "TimeError";
}

interface Timer {
  readonly id: number;
  readonly due: number;
  /** The period of an interval, in milliseconds. */
  readonly period?: number;
  readonly fire: () => void;
}

class Clock {
  now: number;
  /** In the order in which they fire. */
  #timers: Timer[] = [];
  #lastId = 0;

  constructor(now: number) {
    this.now = now;
  }

  add(fire: () => void, delay: number): number {
    return this.#insert({ id: ++this.#lastId, due: this.now + delay, fire });
  }

  addPeriodic(fire: () => void, period: number): number {
    return this.#insert({ id: ++this.#lastId, due: this.now + period, period, fire });
  }

  remove(id: unknown): void {
    this.#timers = this.#timers.filter((timer) => timer.id !== id);
  }

  /** Advances the clock; an error of a timer stops it at the time of the timer. */
  advance(milliseconds: number): void {
    const end = this.now + milliseconds;
    if (end < this.now) throw new RangeError("Cannot set current time in the past");
    while (true) {
      const [timer] = this.#timers;
      if (timer === undefined || timer.due > end) break;
      this.#timers.shift();
      this.now = timer.due;
      if (timer.period !== undefined) this.#insert({ ...timer, due: timer.due + timer.period });
      timer.fire();
    }
    this.now = end;
  }

  #insert(timer: Timer): number {
    const later = this.#timers.findIndex(({ due }) => due > timer.due);
    this.#timers.splice(later === -1 ? this.#timers.length : later, 0, timer);
    return timer.id;
  }
}

/** The original globals. */
const { Date: RealDate, setTimeout, clearTimeout, setInterval, clearInterval } = globalThis;
const realGlobals = { Date: RealDate, setTimeout, clearTimeout, setInterval, clearInterval };
const realAbortTimeout = AbortSignal.timeout;

let clock: Clock | undefined;

function requireClock(action: string): Clock {
  if (clock === undefined) throw new TimeError(`Cannot ${action}: time is not faked`);
  return clock;
}

const dateNow = () => clock?.now ?? RealDate.now();

type Callback = (...args: unknown[]) => void;

const fakeGlobals = {
  // A proxy, so that a stub of `now` does not change the time.
  Date: new Proxy(RealDate, {
    construct: (target, args) => Reflect.construct(target, args.length === 0 ? [dateNow()] : args),
    apply: () => new RealDate(dateNow()).toString(),
    get: (target, property) => property === "now" ? dateNow : Reflect.get(target, property),
  }),
  setTimeout: (callback: Callback, delay = 0, ...args: unknown[]) =>
    requireClock("set timeout").add(() => callback(...args), Math.max(0, Math.floor(delay))),
  setInterval: (callback: Callback, period = 0, ...args: unknown[]) =>
    requireClock("set interval").addPeriodic(
      () => callback(...args),
      Math.max(1, Math.floor(period)),
    ),
  clearTimeout: (id: unknown) => requireClock("clear timeout").remove(id),
  clearInterval: (id: unknown) => requireClock("clear interval").remove(id),
};

function fakeAbortTimeout(milliseconds: number): AbortSignal {
  const controller = new AbortController();
  const reason = new DOMException("Signal timed out.", "TimeoutError");
  fakeGlobals.setTimeout(() => controller.abort(reason), milliseconds);
  return controller.signal;
}

/** Fakes `Date`, timers and `AbortSignal.timeout`. Only `tick()` advances the time. */
export class FakeTime implements Disposable {
  readonly #clock: Clock;

  constructor(start: number | Date = RealDate.now()) {
    if (clock !== undefined) {
      throw new TimeError("Cannot construct FakeTime: time is already faked");
    }
    const now = Math.floor(start.valueOf());
    if (Number.isNaN(now)) throw new TypeError("Cannot construct FakeTime: invalid start time");
    clock = this.#clock = new Clock(now);
    Object.assign(globalThis, fakeGlobals);
    AbortSignal.timeout = fakeAbortTimeout;
  }

  get now(): number {
    return this.#clock.now;
  }

  tick(milliseconds = 0): void {
    this.#clock.advance(milliseconds);
  }

  /** Lets promises settle before the first timer fires, but not between two timers. */
  async tickAsync(milliseconds = 0): Promise<void> {
    await this.runMicrotasks();
    this.tick(milliseconds);
  }

  runMicrotasks(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, 0));
  }

  restore(): void {
    if (clock !== this.#clock) {
      throw new TimeError("Cannot restore time: time is already restored");
    }
    clock = undefined;
    Object.assign(globalThis, realGlobals);
    AbortSignal.timeout = realAbortTimeout;
  }

  [Symbol.dispose](): void {
    this.restore();
  }
}
