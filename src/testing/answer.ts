// This module is browser compatible.

import { byteRange, type ByteSource, byteStream, type StreamEnding } from "./byte_stream.ts";
import { errorBody, type ErrorFacts, type ErrorShape } from "./error_body.ts";
import { parseRange } from "./range_header.ts";

/** What the fake answers, before it is a `Response`. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Absent where the answer has none. */
  readonly body?: ByteSource;
  /** How the body ends. Default: it closes. */
  readonly ending?: StreamEnding;
}

/** A file that can be asked for in parts. */
export interface ServedFile extends ByteSource {
  readonly etag: string;
}

/** Statuses whose answers have no body (Fetch standard, null body status). */
const NULL_BODY_STATUSES = [204, 205, 304];

/** An answer of text; `Content-Length` counts its bytes. */
export function textAnswer(
  status: number,
  text: string,
  headers: Readonly<Record<string, string>>,
): Answer {
  const body = new TextEncoder().encode(text);
  return { status, headers: { "Content-Length": String(body.byteLength), ...headers }, body };
}

/** An answer of JSON. */
export function jsonAnswer(value: unknown): Answer {
  return textAnswer(200, JSON.stringify(value), { "Content-Type": "application/json" });
}

/** An error, written in a shape. */
export function errorAnswer(
  status: number,
  shape: ErrorShape,
  facts: ErrorFacts,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  const { text, contentType } = errorBody(shape, facts);
  return textAnswer(status, text, {
    ...(contentType === undefined ? {} : { "Content-Type": contentType }),
    ...headers,
  });
}

/** A file or the part of it that the request's `Range` and `If-Range` ask for (RFC 9110). */
export function fileAnswer(file: ServedFile, method: string, request: Headers): Answer {
  const ifRange = request.get("If-Range");
  const isSame = ifRange === null || ifRange === file.etag;
  const range = method === "GET" && isSame
    ? parseRange(request.get("Range"), file.byteLength)
    : undefined;
  const headers = {
    "Accept-Ranges": "bytes",
    "Content-Type": "application/gzip",
    "ETag": file.etag,
  };
  if (range === "unsatisfiable") {
    const headers = { "Accept-Ranges": "bytes", "Content-Range": `bytes */${file.byteLength}` };
    return textAnswer(416, "", headers);
  }
  const { start, end } = range ?? { start: 0, end: file.byteLength };
  return {
    status: range === undefined ? 200 : 206,
    headers: {
      ...headers,
      "Content-Length": String(end - start),
      ...(range === undefined
        ? {}
        : { "Content-Range": `bytes ${start}-${end - 1}/${file.byteLength}` }),
    },
    body: byteRange(file, start, end),
  };
}

/** How a {@linkcode Response} of the fake is sent. */
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
  { status, headers, body, ending }: Answer,
  { method, bytesPerSecond, signal }: SendOptions,
): Response {
  const hasBody = body !== undefined && method !== "HEAD" && !NULL_BODY_STATUSES.includes(status);
  const stream = hasBody ? byteStream(body, { ending, bytesPerSecond, signal }) : null;
  return new Response(stream, { status, headers });
}
