// This module is browser compatible.

/** Throws a `RangeError` that names `name` unless `value` is an integer from `min` to `max`. */
export function requireInteger(name: string, value: number, min: number, max = Infinity): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  const range = max === Infinity ? `of at least ${min}` : `from ${min} to ${max}`;
  throw new RangeError(`${name} must be an integer ${range}, got ${value}`);
}
