// This module is browser compatible.

/** Throws a RangeError that names the value unless it is a whole number within the limits. */
export function checkCount(name: string, value: number, least: number, most = Infinity): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  const limits = most === Infinity ? `of at least ${least}` : `from ${least} to ${most}`;
  throw new RangeError(`${name} must be a whole number ${limits}, got ${value}`);
}
