// This module is browser compatible.

/** The bytes from `start` up to but excluding `end`; `"unsatisfiable"` where there are none. */
export type RequestedRange =
  | { readonly start: number; readonly end: number }
  | "unsatisfiable";

/**
 * Parses a `Range` header with a single range of bytes (RFC 9110 section 14.1.2).
 *
 * @param header `bytes=N-`, `bytes=N-M` or `bytes=-N`.
 * @param length The length of the requested file, in bytes.
 * @returns `undefined` for any other header, which a server ignores.
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
