// This module is browser compatible.

/**
 * The period of the weights' bytes. A prime, so that an offset that is wrong by a power of two, a
 * chunk or a block never reads equal bytes.
 */
export const PATTERN_BYTES = 1_048_583;

let pattern: Uint8Array<ArrayBuffer> | undefined;

/** Returns one period of pseudo-random bytes. Archives share it; each starts at another phase of it. */
export function weightsPattern(): Uint8Array<ArrayBuffer> {
  return pattern ??= generatePattern();
}

function generatePattern(): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(PATTERN_BYTES / 4));
  let state = 0x2545f491; // xorshift32 accepts any seed but 0.
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, PATTERN_BYTES);
}
