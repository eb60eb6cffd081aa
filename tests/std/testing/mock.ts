/** Backs the part of `@std/testing/mock` that the tests use where JSR can't be reached. */
import { strictEqual } from "node:assert/strict";

export interface Spy<Args extends unknown[], Return> extends Disposable {
  (...args: Args): Return;
  readonly calls: readonly { readonly args: Args }[];
  restore(): void;
}

// Unlike the global types of these names they take any type: a property need not be a method.
type Parameters<F> = F extends (...args: infer Args) => unknown ? Args : never;
type ReturnType<F> = F extends (...args: never[]) => infer Return ? Return : never;

/** A function that records what it is called with. */
export function spy(): Spy<unknown[], undefined>;
export function spy<Args extends unknown[], Return>(
  fn: (...args: Args) => Return,
): Spy<Args, Return>;
export function spy(
  fn: (...args: unknown[]) => unknown = () => undefined,
): Spy<unknown[], unknown> {
  return recording(fn, () => {});
}

/** Replaces a method until `restore()`, or until the end of the block with `using`. */
export function stub<Self extends object, Name extends keyof Self>(
  self: Self,
  property: Name,
  fake: (...args: Parameters<Self[Name]>) => ReturnType<Self[Name]>,
): Spy<Parameters<Self[Name]>, ReturnType<Self[Name]>> {
  const original = Object.getOwnPropertyDescriptor(self, property);
  const double = recording(fake, () => {
    if (original === undefined) Reflect.deleteProperty(self, property); // it was inherited
    else Object.defineProperty(self, property, original);
  });
  Object.defineProperty(self, property, { configurable: true, writable: true, value: double });
  return double;
}

export function assertSpyCalls(
  spy: { readonly calls: readonly unknown[] },
  expected: number,
): void {
  strictEqual(spy.calls.length, expected);
}

function recording<Args extends unknown[], Return>(
  fn: (...args: Args) => Return,
  restore: () => void,
): Spy<Args, Return> {
  const calls: { args: Args }[] = [];
  const record = (...args: Args) => {
    calls.push({ args });
    return fn(...args);
  };
  return Object.assign(record, { calls, restore, [Symbol.dispose]: restore });
}
