// This module is browser compatible.

/** Concatenates byte arrays. */
export function concatenate(arrays: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const bytes of arrays) {
    whole.set(bytes, offset);
    offset += bytes.length;
  }
  return whole;
}
