// This module is browser compatible.

import { byteRange, type ByteSource, byteStream, type StreamEnding } from "./byte_stream.ts";
import { errorBody, type ErrorFacts, type ErrorShape } from "./error_body.ts";
import { parseRange } from "./range_header.ts";

/** A response of the fake as data, which faults can still change. */
export interface FakeResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Absent in a response without a body. */
  readonly body?: ByteSource;
  /** How the body ends. Default: `"close"`. */
  readonly ending?: StreamEnding;
}

/** A file that supports range requests. */
export interface ServedFile extends ByteSource {
  readonly etag: string;
}

/** Statuses whose responses have no body (Fetch standard, null body status). */
const NULL_BODY_STATUSES = [204, 205, 304];

/** Returns a response with a text; `Content-Length` is the number of its bytes. */
export function textResponse(
  status: number,
  text: string,
  headers: Readonly<Record<string, string>>,
): FakeResponse {
  const body = new TextEncoder().encode(text);
  return { status, headers: { "Content-Length": String(body.byteLength), ...headers }, body };
}

/** Returns a response with JSON. */
export function jsonResponse(value: unknown): FakeResponse {
  return textResponse(200, JSON.stringify(value), { "Content-Type": "application/json" });
}

/** Returns an error response whose body has the given shape. */
export function errorResponse(
  status: number,
  shape: ErrorShape,
  facts: ErrorFacts,
  headers: Readonly<Record<string, string>> = {},
): FakeResponse {
  const { text, contentType } = errorBody(shape, facts);
  return textResponse(status, text, {
    ...(contentType === undefined ? {} : { "Content-Type": contentType }),
    ...headers,
  });
}

/** Returns a file, or the range of it that `Range` and `If-Range` select (RFC 9110 sections 13 and 14). */
export function fileResponse(
  file: ServedFile,
  method: string,
  requestHeaders: Headers,
): FakeResponse {
  const ifRange = requestHeaders.get("If-Range");
  const isSameFile = ifRange === null || ifRange === file.etag;
  const range = method === "GET" && isSameFile
    ? parseRange(requestHeaders.get("Range"), file.byteLength)
    : undefined;
  if (range === "unsatisfiable") {
    const headers = { "Accept-Ranges": "bytes", "Content-Range": `bytes */${file.byteLength}` };
    return textResponse(416, "", headers);
  }
  const { start, end } = range ?? { start: 0, end: file.byteLength };
  return {
    status: range === undefined ? 200 : 206,
    headers: {
      "Accept-Ranges": "bytes",
      "Content-Type": "application/gzip",
      "ETag": file.etag,
      "Content-Length": String(end - start),
      ...(range === undefined
        ? {}
        : { "Content-Range": `bytes ${start}-${end - 1}/${file.byteLength}` }),
    },
    body: byteRange(file, start, end),
  };
}

/** How a {@linkcode FakeResponse} is sent. */
export interface SendOptions {
  /** The request's method; a response to `HEAD` has no body. */
  readonly method: string;
  /** The highest transfer rate of the body. Default: unlimited. */
  readonly bytesPerSecond?: number | undefined;
  /** Errors the body when it aborts, where the transport does not cancel the body itself. */
  readonly signal?: AbortSignal | undefined;
}

/** Converts to the platform's `Response`. */
export function toResponse(
  { status, headers, body, ending }: FakeResponse,
  { method, bytesPerSecond, signal }: SendOptions,
): Response {
  const hasBody = body !== undefined && method !== "HEAD" && !NULL_BODY_STATUSES.includes(status);
  const stream = hasBody ? byteStream(body, { ending, bytesPerSecond, signal }) : null;
  return new Response(stream, { status, headers });
}
