/**
 * Replaces the part of `@std/assert` that the tests use where JSR cannot be reached, with the same
 * signatures, so that a test type-checks with either.
 */
import strict from "node:assert/strict";
import { equal } from "./assert/equal.ts";

type ErrorClass<E extends Error> = abstract new (...args: never[]) => E;

export const assert: (expr: unknown, msg?: string) => asserts expr = strict.ok;
export const assertStrictEquals: <T>(
  actual: unknown,
  expected: T,
  msg?: string,
) => asserts actual is T = strict.strictEqual;
export const assertMatch: (actual: string, expected: RegExp, msg?: string) => void = strict.match;
export const assertNotMatch: (actual: string, expected: RegExp, msg?: string) => void =
  strict.doesNotMatch;
export const fail: (msg?: string) => never = strict.fail;

export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (equal(actual, expected)) return;
  strict.deepStrictEqual(actual, expected, msg); // Shows a difference that Node detects.
  fail(msg ?? `Values differ in a way that inspection does not show: ${Deno.inspect(actual)}`);
}

export function assertNotEquals<T>(
  actual: T,
  expected: T,
  msg = `Expected ${Deno.inspect(actual)} to differ from ${Deno.inspect(expected)}`,
): void {
  strict.ok(!equal(actual, expected), msg);
}

export function assertFalse(expr: unknown, msg = `Expected a falsy value, got ${expr}`): void {
  strict.ok(!expr, msg);
}

export function assertExists<T>(
  actual: T,
  msg = `Expected neither null nor undefined, got ${actual}`,
): asserts actual is NonNullable<T> {
  strict.ok(actual !== undefined && actual !== null, msg);
}

export function assertInstanceOf<T>(
  actual: unknown,
  expectedType: abstract new (...args: never[]) => T,
  msg?: string,
): asserts actual is T {
  if (actual instanceof expectedType) return;
  fail(msg ?? `Expected an instance of ${expectedType.name}, got ${Deno.inspect(actual)}`);
}

export function assertStringIncludes(
  actual: string,
  expected: string,
  msg?: string,
): void {
  if (actual.includes(expected)) return;
  fail(msg ?? `Expected ${Deno.inspect(actual)} to include ${Deno.inspect(expected)}`);
}

export function assertGreater<T>(
  actual: T,
  expected: T,
  msg = `Expected ${actual} > ${expected}`,
): void {
  strict.ok(actual > expected, msg);
}

export function assertGreaterOrEqual<T>(
  actual: T,
  expected: T,
  msg = `Expected ${actual} >= ${expected}`,
): void {
  strict.ok(actual >= expected, msg);
}

export function assertLess<T>(
  actual: T,
  expected: T,
  msg = `Expected ${actual} < ${expected}`,
): void {
  strict.ok(actual < expected, msg);
}

export function assertLessOrEqual<T>(
  actual: T,
  expected: T,
  msg = `Expected ${actual} <= ${expected}`,
): void {
  strict.ok(actual <= expected, msg);
}

export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance = Number.isFinite(expected) ? Math.abs(expected * 1e-7) : 1e-7,
  msg = `Expected ${actual} to be within ${tolerance} of ${expected}`,
): void {
  strict.ok(Object.is(actual, expected) || Math.abs(actual - expected) <= tolerance, msg);
}

export function assertThrows(fn: () => unknown): unknown;
export function assertThrows<E extends Error>(
  fn: () => unknown,
  errorClass: ErrorClass<E>,
  msgIncludes?: string,
): E;
export function assertThrows(
  fn: () => unknown,
  errorClass?: ErrorClass<Error>,
  msgIncludes?: string,
): unknown {
  let caught: unknown;
  strict.throws(fn, (error) => {
    caught = error;
    return isExpectedError(error, errorClass, msgIncludes);
  });
  return caught;
}

export function assertRejects(fn: () => PromiseLike<unknown>): Promise<unknown>;
export function assertRejects<E extends Error>(
  fn: () => PromiseLike<unknown>,
  errorClass: ErrorClass<E>,
  msgIncludes?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  errorClass?: ErrorClass<Error>,
  msgIncludes?: string,
): Promise<unknown> {
  const promise = fn(); // A synchronous throw fails the test, because a rejection is expected.
  let caught: unknown;
  await strict.rejects(async () => await promise, (error) => {
    caught = error;
    return isExpectedError(error, errorClass, msgIncludes);
  });
  return caught;
}

function isExpectedError(
  error: unknown,
  errorClass: ErrorClass<Error> | undefined,
  msgIncludes = "",
): true {
  if (errorClass === undefined) return true; // Without a class, any thrown value passes.
  assertInstanceOf(error, errorClass);
  assertStringIncludes(error.message, msgIncludes);
  return true;
}
