/** Changes that several kinds of faults make to a correct response. */
import type { FaultContext } from "./fault_kind.ts";
import { randomPosition } from "./fault_builders.ts";
import { setBody, setHeader, type WireResponse } from "./wire_response.ts";

/** Changes the response to a 206; returns its first byte, its last byte and its total. */
export function makePartial(
  response: WireResponse,
  context: FaultContext,
): [first: number, last: number, total: number] {
  const { source: { gzip } } = context.stored;
  if (!response.statusLine.includes(" 206 ")) {
    const from = context.requestedFrom || 1 + context.random.int(gzip.length - 2);
    response.statusLine = "HTTP/1.1 206 Partial Content";
    response.offset = Math.min(from, gzip.length - 1);
    setBody(response, gzip.subarray(response.offset));
    setRange(response, response.offset, gzip.length - 1, gzip.length);
  }
  return [response.offset, gzip.length - 1, gzip.length];
}

/** Sets `Content-Range`. */
export function setRange(
  response: WireResponse,
  first: number,
  last: number,
  total: number | string,
): void {
  setHeader(response, "Content-Range", `bytes ${first}-${last}/${total}`);
}

/** Changes the response to a 416. */
export function makeUnsatisfiable(
  response: WireResponse,
  contentRange: string | undefined,
  etag: string | undefined,
): void {
  response.statusLine = "HTTP/1.1 416 Range Not Satisfiable";
  response.headers = [];
  setBody(response, new Uint8Array());
  setHeader(response, "Content-Range", contentRange);
  setHeader(response, "ETag", etag);
}

/** Changes the response to a 200 with the complete archive that is stored now. */
export function makeFull(response: WireResponse, context: FaultContext): void {
  response.statusLine = "HTTP/1.1 200 OK";
  response.offset = 0;
  setHeader(response, "Content-Range", undefined);
  setBody(response, context.stored.source.gzip);
  setHeader(response, "ETag", context.etag);
}

/** Reduces `Content-Length` without changing the body; returns the new length. */
export function shortenLength(
  response: WireResponse,
  { random, isLengthKnown, recordDefect }: FaultContext,
): number {
  const length = randomPosition(random, response);
  response.lengthHeaders = [["Content-Length", String(length)]];
  // A Content-Range contradicts the length, so that the defect is not hidden.
  const isPartial = response.headers.some(([name]) => name === "Content-Range");
  if (!isPartial && !isLengthKnown) recordDefect("short", length);
  return length;
}
