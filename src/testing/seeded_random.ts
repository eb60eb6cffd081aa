// This module is browser compatible.

/** Pseudo-random values that depend on the seed alone, on every machine. */
export interface SeededRandom {
  /** Returns an integer from 0 up to but excluding `end`. */
  int(end: number): number;
  /** Returns one of the values. */
  pick<T>(values: readonly [T, ...T[]]): T;
  /** Returns a version 4 UUID. */
  uuid(): string;
}

/** Makes a pseudo-random sequence (mulberry32) that starts at `seed`. */
export function seededRandom(seed: number): SeededRandom {
  let state = seed | 0;
  const int = (end: number): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor(((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32 * end);
  };
  return {
    int,
    pick: (values) => values[int(values.length)] ?? values[0],
    uuid: () =>
      "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx".replace(
        /[xy]/g,
        (place) => (place === "x" ? int(16) : 8 + int(4)).toString(16),
      ),
  };
}

/** Returns a 32-bit hash of a text (FNV-1a), for a seed that depends on a name. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
