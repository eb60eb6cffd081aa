// This module is browser compatible.

/** The CRC-32 polynomial of gzip (RFC 1952 section 8), bit-reversed. */
const POLYNOMIAL = 0xedb88320;

const TABLE: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  return crc;
});

/** Computes the CRC-32 of `bytes`, continued from the CRC of the bytes before them (0 for none). */
export function crc32(bytes: Uint8Array, previous: number = 0): number {
  let crc = ~previous;
  // An iterator is seven times as slow as an index.
  for (let i = 0; i < bytes.length; i++) {
    crc = (crc >>> 8) ^ (TABLE[(crc ^ (bytes[i] ?? 0)) & 0xff] ?? 0);
  }
  return ~crc >>> 0;
}

/** Computes the CRC-32 of two concatenated byte strings from the CRC of each and the second length. */
export function combineCrc32(first: number, second: number, secondLength: number): number {
  return (multiply(powerOfX8(secondLength), first) ^ second) >>> 0;
}

/** Computes the CRC-32 of a byte string repeated `times` times, from its CRC and its length. */
export function repeatCrc32(crc: number, length: number, times: number): number {
  let result = 0;
  // Square and multiply, without bit operators, because lengths exceed 2^32.
  for (let rest = times; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = combineCrc32(result, crc, length);
    crc = combineCrc32(crc, crc, length);
    length *= 2;
  }
  return result;
}

/** Returns the product of two polynomials over GF(2) modulo the CRC's; bit 31 is the coefficient of x^0. */
function multiply(a: number, b: number): number {
  let product = 0;
  for (let bit = 31; bit >= 0; bit--) {
    if ((a >>> bit) & 1) product ^= b;
    b = b & 1 ? (b >>> 1) ^ POLYNOMIAL : b >>> 1;
  }
  return product >>> 0;
}

/** Computes x^(8 * bytes) modulo the CRC's polynomial, the factor for that many appended zero bytes. */
function powerOfX8(bytes: number): number {
  let power = 0x80000000; // x^0
  let square = 0x00800000; // x^8
  for (let rest = bytes; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) power = multiply(square, power);
    square = multiply(square, square);
  }
  return power;
}
