// This module is browser compatible.

/** What a `Range` header asks for: some bytes, or none that are there. */
export type RequestedRange =
  | { readonly start: number; readonly end: number }
  | "unsatisfiable";

/**
 * Reads a `Range` header with a single range of bytes (RFC 9110 section 14.1.2).
 *
 * @param header `bytes=N-`, `bytes=N-M` or `bytes=-N`.
 * @param length The length of what is asked for, in bytes.
 * @returns `undefined` for anything else, which a server is to ignore.
 */
export function parseRange(header: string | null, length: number): RequestedRange | undefined {
  const [, first, last] = header?.match(/^bytes=(\d*)-(\d*)$/i) ?? [];
  if (first === undefined || last === undefined || first + last === "") return undefined;
  if (first === "") {
    const suffix = Math.min(Number(last), length);
    return suffix === 0 ? "unsatisfiable" : { start: length - suffix, end: length };
  }
  const start = Number(first);
  if (last !== "" && Number(last) < start) return undefined;
  if (start >= length) return "unsatisfiable";
  return { start, end: last === "" ? length : Math.min(Number(last) + 1, length) };
}
