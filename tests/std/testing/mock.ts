/** Replaces the part of `@std/testing/mock` that the tests use where JSR cannot be reached. */
import { strictEqual } from "node:assert/strict";

export class MockError extends Error {
  override readonly name = "MockError";
}

/** A call of a function, recorded after it returned or threw. */
export interface SpyCall<Self, Args extends unknown[], Return> {
  args: Args;
  returned?: Return;
  error?: unknown;
  self?: Self;
}

export interface Spy<Self, Args extends unknown[], Return> {
  (this: Self, ...args: Args): Return;
  readonly calls: SpyCall<Self, Args, Return>[];
  /** Restores the method. Throws if it is restored already, or if no method was replaced. */
  readonly restore: () => void;
}

export interface MethodSpy<Self, Args extends unknown[], Return>
  extends Spy<Self, Args, Return>, Disposable {}

// Unlike the global types of these names, these accept properties that are not methods.
type Parameters<F> = F extends (...args: infer Args) => unknown ? Args : unknown[];
type ReturnType<F> = F extends (...args: never[]) => infer Return ? Return : unknown;

/** A function that records its calls. */
export function spy(): Spy<unknown, unknown[], undefined>;
export function spy<Self, Args extends unknown[], Return>(
  fn: (this: Self, ...args: Args) => Return,
): Spy<Self, Args, Return>;
export function spy(fn: (...args: unknown[]) => unknown = () => undefined) {
  return recordCalls(fn, () => {
    throw new MockError("Cannot restore: function cannot be restored");
  });
}

/** Replaces a method until `restore()`, or until the end of the block that declares it with `using`. */
export function stub<Self extends object, Name extends keyof Self>(
  self: Self,
  property: Name,
  fake: (this: Self, ...args: Parameters<Self[Name]>) => ReturnType<Self[Name]>,
): MethodSpy<Self, Parameters<Self[Name]>, ReturnType<Self[Name]>> {
  const method = self[property];
  if (typeof method === "function") {
    if (spies.has(method)) throw new MockError("Cannot stub: already spying on instance method");
  } else if (method !== undefined) {
    throw new MockError("Cannot stub: property is not an instance method");
  }
  const original = Object.getOwnPropertyDescriptor(self, property);
  if (original?.configurable === false) {
    throw new MockError("Cannot stub: non-configurable instance method");
  }
  let isRestored = false;
  const restore = () => {
    if (isRestored) throw new MockError("Cannot restore: instance method already restored");
    if (original === undefined) Reflect.deleteProperty(self, property); // The original is inherited.
    else Object.defineProperty(self, property, original);
    isRestored = true;
  };
  const double = Object.assign(recordCalls(fake, restore), { [Symbol.dispose]: restore });
  const { enumerable = false, writable = false } = original ?? {};
  Object.defineProperty(self, property, {
    configurable: true,
    enumerable,
    writable,
    value: double,
  });
  return double;
}

export function assertSpyCalls(
  spy: { readonly calls: readonly unknown[] },
  expectedCalls: number,
): void {
  strictEqual(spy.calls.length, expectedCalls);
}

const spies = new WeakSet<WeakKey>();

function recordCalls<Self, Args extends unknown[], Return>(
  fn: (this: Self, ...args: Args) => Return,
  restore: () => void,
): Spy<Self, Args, Return> {
  const calls: SpyCall<Self, Args, Return>[] = [];
  const record = function (this: Self, ...args: Args): Return {
    const call: SpyCall<Self, Args, Return> = this ? { args, self: this } : { args };
    try {
      return call.returned = fn.apply(this, args);
    } catch (error) {
      call.error = error;
      throw error;
    } finally {
      calls.push(call);
    }
  };
  spies.add(record);
  return Object.assign(record, { calls, restore });
}
