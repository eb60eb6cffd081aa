/** What can go wrong with the response that brings an archive, one entry a kind. */
import { setTimeout as delay } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import type { SeededRandom } from "../../src/testing/seeded_random.ts";
import { GZIP_TRAILER_BYTES, type SourceArchive } from "./archive.ts";
import type { RawConnection, RawRequest } from "../integration/raw_server.ts";
import {
  chunk,
  close,
  type Ending,
  head,
  send,
  sendBytes,
  sendCut,
  setBody,
  setFraming,
  setHeader,
  type WireResponse,
  wireResponse,
} from "./wire_response.ts";

/**
 * What a client can't see without reading the archive through, so that it may save a wrong file
 * unless told to verify: a length that is too small and met, other bytes under the same strong tag, or
 * something else of the length that is announced.
 */
export type Lie = "short" | "altered" | "no archive";

/** The object that a server gives, which can be replaced. */
export interface StoredArchive {
  readonly source: SourceArchive;
  /** Replaces it; under the tag that it had, or a new one. */
  replace(by: "sameLength" | "otherLength", tag: "new" | "same"): void;
}

/** What a fault has to work with. */
export interface FaultContext {
  readonly request: RawRequest;
  readonly connection: RawConnection;
  readonly random: SeededRandom;
  readonly stored: StoredArchive;
  /** What a sound server would respond to the request at this moment. */
  readonly sound: WireResponse;
  /** The first byte that was asked for; 0 where all were. */
  readonly requestedFrom: number;
  /** The strong or weak tag of the stored archive. */
  readonly etag: string | undefined;
  /** Whether the client has been given the length of the archive that it asks for the rest of. */
  readonly isLengthKnown: boolean;
  /** A URL on another origin whose response is cut. */
  readonly cutUrl: string;
  /** Closes all connections and refuses new ones. */
  refuse(durationMs: number): void;
  /** Records that the response says a length that is too small, or gives other bytes; how many. */
  lie(lie: Lie, length?: number): void;
}

/** One way to fail. */
export interface FaultKind {
  readonly name: string;
  /** What the server has to be like; what is left out follows from the schedule. */
  readonly framing?: "length" | "chunked" | "close";
  /** Whether it is about a response to a range request, so that the transfer has to be cut before. */
  readonly isAfterCut?: boolean;
  /** What the client can't see. */
  readonly lie?: Lie;
  /** Whether it comes from the API even if the archive comes from elsewhere. */
  readonly isOfApi?: boolean;
  /** Whether it comes before any request is read. */
  readonly isBeforeRequest?: boolean;
  /** Whether the client has to be a slow reader. */
  readonly isForSlowReader?: boolean;
  run(context: FaultContext): Promise<void>;
}

/** Longer than any test waits for a byte. */
const STALL_MS = 5_000;

const sendSound = (context: FaultContext) =>
  send(context.connection, context.random, context.sound);

const fault = (
  name: string,
  run: (context: FaultContext) => Promise<void>,
  traits: Omit<FaultKind, "name" | "run"> = {},
): FaultKind => ({ name, run, ...traits });

/** A fault that changes the sound response and sends it whole. */
const changed = (
  name: string,
  change: (response: WireResponse, context: FaultContext) => void,
  traits?: Omit<FaultKind, "name" | "run">,
): FaultKind =>
  fault(name, (context) => {
    change(context.sound, context);
    return sendSound(context);
  }, traits);

/** A fault that cuts the body at a position in the archive, or anywhere if it has not that one. */
const cutAt = (
  name: string,
  position: (context: FaultContext) => number,
  ending?: Ending,
  traits?: Omit<FaultKind, "name" | "run">,
): FaultKind =>
  fault(name, ({ connection, random, sound, ...context }) => {
    const length = position({ connection, random, sound, ...context }) - sound.offset;
    return sendCut(
      connection,
      random,
      sound,
      length > 0 && length < sound.body.length ? length : inBody(random, sound),
      ending ?? anyEnding(random),
    );
  }, traits);

/** A response of another status instead of the archive. */
const status = (
  name: string,
  statusText: string,
  headers: [name: string, value: string][] = [],
  body = "",
): FaultKind =>
  fault(name, ({ connection, random, sound }) =>
    send(
      connection,
      random,
      wireResponse(statusText, headers, body, { isKeptAlive: !sound.isLast }),
    ));

/** Something else instead of the archive, with a length or without. */
const noArchive = (
  name: string,
  headers: [name: string, value: string][],
  body: string,
): FaultKind =>
  fault(name, ({ connection, random, sound, lie }) => {
    const { framing, isLast } = sound;
    const response = wireResponse("200 OK", headers, body, { framing, isKeptAlive: !isLast });
    if (isLengthSent(response)) lie("no archive", response.body.length);
    return send(connection, random, response);
  }, { lie: "no archive" });

/** A fault of the chunked coding: sends some chunks, then what is at fault. */
const chunked = (
  name: string,
  rest: (context: FaultContext, sent: number) => Promise<void>,
): FaultKind =>
  fault(name, async (context) => {
    const { connection, random, sound } = context;
    const sent = inBody(random, sound);
    await connection.write(head(sound));
    await sendBytes(connection, random, sound, sent);
    await rest(context, sent);
  }, { framing: "chunked" });

/** A fault of a response to a range request. */
const afterCut = (
  name: string,
  change: (response: WireResponse, context: FaultContext) => void,
  traits: Omit<FaultKind, "name" | "run"> = {},
): FaultKind => changed(name, change, { isAfterCut: true, ...traits });

function anyEnding(random: SeededRandom): Ending {
  return random.pick(["fin", "rst"]);
}

/** Somewhere in a body, not at its ends. */
function inBody(random: SeededRandom, { body }: WireResponse): number {
  return Math.min(body.length, 1 + random.int(Math.max(1, body.length - 1)));
}

/** Makes a 206 of a response, whatever was asked for, and gives its first and last byte and total. */
function partial(response: WireResponse, context: FaultContext): [number, number, number] {
  const { source: { packed } } = context.stored;
  if (!response.statusLine.includes(" 206 ")) {
    const from = context.requestedFrom || 1 + context.random.int(packed.length - 2);
    response.statusLine = "HTTP/1.1 206 Partial Content";
    response.offset = Math.min(from, packed.length - 1);
    setBody(response, packed.subarray(response.offset));
    setRange(response, response.offset, packed.length - 1, packed.length);
  }
  return [response.offset, packed.length - 1, packed.length];
}

function setRange(
  response: WireResponse,
  first: number,
  last: number,
  total: number | string,
): void {
  setHeader(response, "Content-Range", `bytes ${first}-${last}/${total}`);
}

/** Makes a 416 of a response. */
function unsatisfiable(
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

/** The whole archive that is stored now, as a 200. */
function whole(response: WireResponse, context: FaultContext): void {
  response.statusLine = "HTTP/1.1 200 OK";
  response.offset = 0;
  setHeader(response, "Content-Range", undefined);
  setBody(response, context.stored.source.packed);
  setHeader(response, "ETag", context.etag);
}

/** Has a response say a length that is too small, and gives it. */
function shorten(response: WireResponse, { random, isLengthKnown, lie }: FaultContext): number {
  const length = inBody(random, response);
  response.lengthHeaders = [["Content-Length", String(length)]];
  // Where there is a Content-Range, it contradicts that.
  const isPartial = response.headers.some(([name]) => name === "Content-Range");
  if (!isPartial && !isLengthKnown) lie("short", length);
  return length;
}

const HTML = "<!doctype html><title>Sign in</title><p>Your session has expired.</p>";

/** All kinds. */
export const FAULT_KINDS: readonly FaultKind[] = [
  // A body that ends early.
  cutAt("cut by FIN", ({ random, sound }) => sound.offset + inBody(random, sound), "fin"),
  cutAt("cut by RST", ({ random, sound }) => sound.offset + inBody(random, sound), "rst"),
  cutAt("cut near the beginning", ({ random, sound }) => sound.offset + 1 + random.int(600)),
  cutAt("cut before the last byte", ({ stored }) => stored.source.packed.length - 1),
  cutAt("cut within gzip's header", ({ random }) => 1 + random.int(9)),
  cutAt(
    "cut at the end of a DEFLATE block",
    ({ random, stored: { source } }) => source.blockEnds[random.int(source.blockEnds.length)] ?? 0,
  ),
  cutAt("cut at the end of the tar", ({ stored }) => stored.source.tarEnd),
  cutAt(
    "cut before gzip's trailer",
    ({ stored }) => stored.source.packed.length - GZIP_TRAILER_BYTES,
  ),
  cutAt(
    "cut within gzip's trailer",
    ({ random, stored }) => stored.source.packed.length - 1 - random.int(GZIP_TRAILER_BYTES - 1),
  ),
  fault("cut within the headers", async ({ connection, random, sound }) => {
    const text = head(sound);
    await connection.write(text.slice(0, 1 + random.int(text.length - 2)));
    close(connection, anyEnding(random));
  }),
  fault("closed without a response", ({ connection, random }) => {
    close(connection, anyEnding(random));
    return Promise.resolve();
  }),
  fault(
    "closed after the headers",
    ({ connection, random, sound }) => sendCut(connection, random, sound, 0, anyEnding(random)),
  ),
  fault(
    "reset after the whole body",
    ({ connection, random, sound }) => sendCut(connection, random, sound, sound.body.length, "rst"),
  ),
  fault("a close-delimited body ends early", ({ connection, random, sound }) => {
    setFraming(sound, "close");
    return sendCut(connection, random, sound, inBody(random, sound), "fin");
  }, { framing: "close" }),
  fault("a body without a length is reset while its reader is slow", async (context) => {
    const { connection, random, sound } = context;
    await connection.write(head(sound));
    await sendBytes(connection, random, sound, Math.floor(sound.body.length * 0.9));
    await delay(random.int(60));
    connection.reset();
  }, { framing: "chunked", isForSlowReader: true }),

  // The chunked coding.
  chunked("closed within a chunk's size", async ({ connection, random }) => {
    await connection.write("1f");
    close(connection, anyEnding(random));
  }),
  chunked("closed within a chunk's data", async ({ connection, random, sound }, sent) => {
    const bytes = sound.body.subarray(sent, sent + 1_000);
    const whole = chunk(bytes);
    await connection.write(whole.subarray(0, whole.length - 3));
    close(connection, anyEnding(random));
  }),
  chunked("closed before the last chunk", async ({ connection, random, sound }, sent) => {
    const rest = sound.body.subarray(sent);
    if (rest.length > 0) await connection.write(chunk(rest));
    close(connection, anyEnding(random));
  }),
  chunked("closed before the last CRLF", async ({ connection, random, sound }, sent) => {
    const rest = sound.body.subarray(sent);
    if (rest.length > 0) await connection.write(chunk(rest));
    await connection.write("0\r\n");
    close(connection, anyEnding(random));
  }),
  chunked("closed before the last CRLF, early", async ({ connection }) => {
    await connection.write("0\r\n");
    connection.end();
  }),
  chunked("a last chunk that comes early", ({ connection }) => connection.write("0\r\n\r\n")),
  chunked(
    "a last chunk that comes early, with a trailer",
    ({ connection }) => connection.write("0\r\nX-Error: the store failed\r\n\r\n"),
  ),
  chunked("a chunk's size is no number", async ({ connection, random, sound }, sent) => {
    await connection.write("zz\r\n");
    await sendBytes(connection, random, { ...sound, body: sound.body.subarray(sent) }, 1_000);
    connection.end();
  }),
  chunked("a chunk's size is negative", async ({ connection }) => {
    await connection.write("-5\r\nabcde\r\n0\r\n\r\n");
    connection.end();
  }),
  chunked("a chunk's size is beyond 64 bits", async ({ connection, sound }, sent) => {
    await connection.write("fffffffffffffffff\r\n");
    await connection.write(sound.body.subarray(sent));
    connection.end();
  }),
  chunked("a chunk's size is 2 GiB", async ({ connection, sound, random }, sent) => {
    await connection.write("80000000\r\n");
    await connection.write(sound.body.subarray(sent));
    close(connection, anyEnding(random));
  }),
  chunked("no CRLF after a chunk's data", async ({ connection, sound }, sent) => {
    const whole = chunk(sound.body.subarray(sent, sent + 500));
    await connection.write(whole.subarray(0, whole.length - 2));
    await connection.write("5\r\nabcde\r\n0\r\n\r\n");
    connection.end();
  }),
  chunked("chunk extensions, which are legal", async ({ connection, sound }, sent) => {
    const rest = sound.body.subarray(sent);
    if (rest.length > 0) await connection.write(chunk(rest, ';name="value"'));
    await connection.write("0\r\n\r\n");
  }),
  chunked("trailers, which are legal", async ({ connection, sound }, sent) => {
    const rest = sound.body.subarray(sent);
    if (rest.length > 0) await connection.write(chunk(rest));
    await connection.write("0\r\nContent-MD5: 0\r\nContent-Length: 7\r\n\r\n");
  }),

  // Content-Length.
  fault("a Content-Length too large, then FIN", ({ connection, random, sound }) => {
    const length = sound.body.length;
    sound.lengthHeaders = [["Content-Length", String(length + 1 + random.int(5_000))]];
    return sendCut(connection, random, sound, length, "fin");
  }, { framing: "length" }),
  fault("a Content-Length too large, then silence", async ({ connection, random, sound }) => {
    const length = sound.body.length;
    sound.lengthHeaders = [["Content-Length", String(length + 1 + random.int(5_000))]];
    await connection.write(head(sound));
    await sendBytes(connection, random, sound, length);
    await untilClosed(connection);
  }, { framing: "length" }),
  fault("a Content-Length too small, and met", (context) => {
    const length = shorten(context.sound, context);
    context.sound.body = context.sound.body.subarray(0, length);
    return sendSound(context);
  }, { framing: "length", lie: "short" }),
  changed("a Content-Length too small for a body that is whole", (response, context) => {
    shorten(response, context);
  }, { framing: "length", lie: "short" }),
  ...["abc", "-1", "1e5", "99999999999999999999999", "", "12, 34"].map((value) =>
    changed(`Content-Length: ${value || "(empty)"}`, (response) => {
      response.lengthHeaders = [["Content-Length", value]];
      response.isLast = true;
    }, { framing: "length" })
  ),
  changed("a Content-Length twice, the same", (response) => {
    response.lengthHeaders = [...response.lengthHeaders, ...response.lengthHeaders];
  }, { framing: "length" }),
  changed("a Content-Length twice, differing", ({ body, lengthHeaders }, { random }) => {
    const other: [string, string] = ["Content-Length", String(random.int(body.length))];
    lengthHeaders.push(other);
    if (random.int(2) === 0) lengthHeaders.reverse();
  }, { framing: "length" }),
  changed("a Content-Length beside the chunked coding", ({ lengthHeaders, body }, { random }) => {
    lengthHeaders.push(["Content-Length", String(random.int(2 * body.length))]);
  }, { framing: "chunked" }),
  fault("bytes after the body", async ({ connection, random, sound }) => {
    sound.isLast = false;
    await send(connection, random, sound);
    await connection.write("HTTP/1.1 999 ?\r\nnot a header at all");
    connection.end();
  }, { framing: "length" }),
  fault("bytes after the last chunk", async ({ connection, random, sound }) => {
    sound.isLast = false;
    await send(connection, random, sound);
    await connection.write("12\r\nnot a response\r\n");
    connection.end();
  }, { framing: "chunked" }),
  fault("bytes after a close-delimited archive", async ({ connection, random, sound }) => {
    await connection.write(head(sound));
    await sendBytes(connection, random, sound, sound.body.length);
    await connection.write("<p>Internal Server Error</p>");
    connection.end();
  }, { framing: "close" }),
  afterCut("the length forgotten: a 200 without one that ends early", (response, context) => {
    whole(response, context);
    setFraming(response, context.random.pick(["chunked", "close"]));
    response.body = response.body.subarray(0, inBody(context.random, response));
  }),
  fault("a 200 without a length that breaks off while rereading", (context) => {
    const { sound, connection, random } = context;
    whole(sound, context);
    setFraming(sound, random.pick(["chunked", "close"]));
    return sendCut(connection, random, sound, inBody(random, sound), anyEnding(random));
  }, { isAfterCut: true }),

  // 206.
  afterCut("206 without Content-Range", (response, context) => {
    partial(response, context);
    setHeader(response, "Content-Range", undefined);
  }),
  afterCut("206 from another byte on", (response, context) => {
    const [, last, total] = partial(response, context);
    const from = context.random.int(last);
    setBody(response, context.stored.source.packed.subarray(from));
    setRange(response, from, last, total);
  }),
  afterCut("206 whose bytes begin elsewhere than it says", (response, context) => {
    const [first, last, total] = partial(response, context);
    setRange(response, Math.max(0, first - 1 - context.random.int(100)), last, total);
  }),
  afterCut("206 of the whole archive", (response, context) => {
    const [, last, total] = partial(response, context);
    setBody(response, context.stored.source.packed);
    setRange(response, 0, last, total);
  }),
  afterCut("206 with a last byte beyond the total", (response, context) => {
    const [first, last, total] = partial(response, context);
    setRange(response, first, last + 1 + context.random.int(1_000), total);
  }),
  afterCut("206 with a last byte before what is sent", (response, context) => {
    const [first, last, total] = partial(response, context);
    setRange(response, first, Math.max(first, last - 1 - context.random.int(1_000)), total);
  }),
  afterCut("206 with a total too large", (response, context) => {
    const [first, last, total] = partial(response, context);
    setRange(response, first, last, total + 1 + context.random.int(1_000));
  }),
  afterCut("206 with a total too small, and met", (response, context) => {
    const [first] = partial(response, context);
    const length = inBody(context.random, response);
    setBody(response, response.body.subarray(0, length));
    setRange(response, first, first + length - 1, first + length);
    if (!context.isLengthKnown) context.lie("short", first + length);
  }, { lie: "short" }),
  afterCut("206 with an unknown total", (response, context) => {
    const [first, last] = partial(response, context);
    setRange(response, first, last, "*");
  }),
  afterCut("206 with an unknown total, and less than the rest", (response, context) => {
    const [first] = partial(response, context);
    const length = inBody(context.random, response);
    setBody(response, response.body.subarray(0, length));
    setRange(response, first, first + length - 1, "*");
  }),
  afterCut("206 of a replaced archive under its new ETag", (response, context) => {
    context.stored.replace("sameLength", "new");
    partial(response, context);
    setBody(response, context.stored.source.packed.subarray(response.offset));
    setHeader(response, "ETag", context.etag);
  }),
  afterCut("206 of a replaced archive of another length", (response, context) => {
    context.stored.replace("otherLength", "new");
    const { packed } = context.stored.source;
    partial(response, context);
    setBody(response, packed.subarray(response.offset));
    setRange(response, response.offset, packed.length - 1, packed.length);
    setHeader(response, "ETag", context.etag);
  }),
  afterCut("206 of a replaced archive without an ETag", (response, context) => {
    context.stored.replace("sameLength", "new");
    partial(response, context);
    setBody(response, context.stored.source.packed.subarray(response.offset));
    setHeader(response, "ETag", undefined);
  }),
  afterCut("206 with another ETag", (response, context) => {
    partial(response, context);
    setHeader(response, "ETag", '"another"');
  }),
  afterCut("206 without an ETag", (response, context) => {
    partial(response, context);
    setHeader(response, "ETag", undefined);
  }),
  afterCut("206 with a weak ETag", (response, context) => {
    partial(response, context);
    setHeader(response, "ETag", `W/${context.etag?.replace("W/", "") ?? '"weak"'}`);
  }),
  afterCut("206 in another unit", (response, context) => {
    const [first, last, total] = partial(response, context);
    setHeader(response, "Content-Range", `items ${first}-${last}/${total}`);
  }),
  afterCut("206 with a malformed Content-Range", (response, context) => {
    partial(response, context);
    setHeader(response, "Content-Range", context.random.pick(["bytes", "bytes 5", "5-9/10"]));
  }),
  afterCut("206 in several parts", (response, context) => {
    const [first, last, total] = partial(response, context);
    const start = `--b\r\nContent-Range: bytes ${first}-${last}/${total}\r\n\r\n`;
    setBody(response, Buffer.concat([Buffer.from(start), response.body, Buffer.from("\r\n--b--")]));
    setHeader(response, "Content-Type", "multipart/byteranges; boundary=b");
    setHeader(response, "Content-Range", undefined);
  }),
  afterCut("206 with more bytes than its range", (response, context) => {
    partial(response, context);
    const extra = new Uint8Array(1 + context.random.int(2_000)).fill(0x2e);
    setBody(response, Buffer.concat([response.body, extra]));
  }),
  afterCut("206 with fewer bytes than its range", (response, context) => {
    partial(response, context);
    setBody(response, response.body.subarray(0, inBody(context.random, response)));
  }),
  afterCut("206 of a part of what was asked for, which is legal", (response, context) => {
    const [first, , total] = partial(response, context);
    const length = inBody(context.random, response);
    setBody(response, response.body.subarray(0, length));
    setRange(response, first, first + length - 1, total);
  }),
  afterCut("206 without a byte", (response, context) => {
    partial(response, context);
    setBody(response, new Uint8Array());
  }),

  // 200 and 416 to a range request.
  afterCut("200 to a range request", whole),
  afterCut("200 to a range request, of a replaced archive", (response, context) => {
    context.stored.replace(context.random.pick(["sameLength", "otherLength"]), "new");
    whole(response, context);
  }),
  afterCut("416 with the right total", (response, context) => {
    unsatisfiable(response, `bytes */${context.stored.source.packed.length}`, context.etag);
  }),
  afterCut("416 with the byte reached for a total, without an ETag", (response, context) => {
    unsatisfiable(response, `bytes */${context.requestedFrom}`, undefined);
  }),
  afterCut("416 with the byte reached for a total and another ETag", (response, context) => {
    unsatisfiable(response, `bytes */${context.requestedFrom}`, '"another"');
  }),
  afterCut("416 with the byte reached for a total and the same ETag", (response, context) => {
    if (!context.isLengthKnown) context.lie("short", context.requestedFrom);
    unsatisfiable(response, `bytes */${context.requestedFrom}`, context.etag);
  }, { lie: "short" }),
  afterCut("416 with a smaller total", (response, context) => {
    const total = Math.max(0, context.requestedFrom - 1 - context.random.int(1_000));
    unsatisfiable(response, `bytes */${total}`, context.etag);
  }),
  afterCut("416 without Content-Range", (response, context) => {
    unsatisfiable(response, undefined, context.etag);
  }),

  // Other statuses, and bodies that are no archive.
  status("204", "204 No Content"),
  status("304", "304 Not Modified", [["ETag", '"another"']]),
  status("202", "202 Accepted", [["Content-Type", "application/json"]], '{"status":"queued"}'),
  status("200 with nothing", "200 OK", [["Content-Type", "application/gzip"]]),
  status("200 with HTML", "200 OK", [["Content-Type", "text/html; charset=utf-8"]], HTML),
  noArchive("200 with HTML of no type", [], HTML),
  status("200 with malformed JSON", "200 OK", [["Content-Type", "application/json"]], '{"url": "'),
  status("200 with other JSON", "200 OK", [["Content-Type", "application/json"]], '{"id": 7}'),
  noArchive("200 with zeros", [["Content-Type", "application/gzip"]], "\0".repeat(20_000)),
  status(
    "400 ExpiredToken",
    "400 Bad Request",
    [["Content-Type", "application/xml"]],
    "<Error><Code>ExpiredToken</Code></Error>",
  ),
  status("401", "401 Unauthorized"),
  status("403", "403 Forbidden", [["Content-Type", "application/xml"]], "<Error/>"),
  status("404", "404 Not Found", [], "no such object"),
  status("408", "408 Request Timeout", [["Connection", "close"]]),
  status("425", "425 Too Early", [["Retry-After", "0"]]),
  status("429", "429 Too Many Requests", [["Retry-After", "0"]]),
  status(
    "500",
    "500 Internal Server Error",
    [["Content-Type", "application/json"]],
    '{"error": "internal", "message": "the store failed"}',
  ),
  status("502 with HTML", "502 Bad Gateway", [["Content-Type", "text/html"]], HTML),
  status("503 with Retry-After: 0", "503 Service Unavailable", [["Retry-After", "0"]]),
  status("299", "299 Unknown"),
  changed("a status line that is none", (response, { random }) => {
    response.statusLine = random.pick(["HTTP/1.1 abc OK", "HTTP/9.9 200 OK", "ICY 200 OK", "\0\0"]);
  }),
  fault("103 before the response, which is legal", async (context) => {
    await context.connection.write("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    await sendSound(context);
  }),
  changed("HTTP/1.0, which is legal", (response) => {
    if (response.framing === "chunked") setFraming(response, "close");
    response.statusLine = response.statusLine.replace("HTTP/1.1", "HTTP/1.0");
    response.isLast = true;
  }),
  changed("a header of 100 kB", (response) => setHeader(response, "X-Large", "x".repeat(100_000))),
  changed("a malformed header", (response) => setHeader(response, "X-Ma lformed\x01", "\x02")),

  // The archive changes.
  changed("the archive is replaced, with a new ETag", (response, context) => {
    context.stored.replace(context.random.pick(["sameLength", "otherLength"]), "new");
    whole(response, context);
  }, { isAfterCut: true }),
  fault("the archive is replaced after a cut", async (context) => {
    const { connection, random, sound } = context;
    await sendCut(connection, random, sound, inBody(random, sound), anyEnding(random));
    context.stored.replace(random.pick(["sameLength", "otherLength"]), "new");
  }),
  fault("the archive is replaced by one as long after a cut", async (context) => {
    const { connection, random, sound } = context;
    await sendCut(connection, random, sound, inBody(random, sound), anyEnding(random));
    context.stored.replace("sameLength", "new");
  }),
  fault("another length under the same strong ETag after a cut", async (context) => {
    const { connection, random, sound } = context;
    await sendCut(connection, random, sound, inBody(random, sound), anyEnding(random));
    context.stored.replace("otherLength", "same");
    if (!isLengthSent(sound)) context.lie("altered");
  }, { lie: "altered" }),
  fault("other bytes under the same strong ETag after a cut", async (context) => {
    const { connection, random, sound } = context;
    await sendCut(connection, random, sound, inBody(random, sound), anyEnding(random));
    context.stored.replace("sameLength", "same");
    context.lie("altered");
  }, { lie: "altered" }),
  changed("the archive is overwritten while it is read", (response, context) => {
    const at = inBody(context.random, response);
    const { offset, body } = response;
    context.stored.replace("sameLength", "same");
    const rest = context.stored.source.packed.subarray(offset + at, offset + body.length);
    setBody(response, Buffer.concat([body.subarray(0, at), rest]));
    context.lie("altered");
  }, { lie: "altered" }),
  changed("a bit is wrong", (response, context) => {
    const body = response.body.slice();
    const at = context.random.int(body.length);
    body[at] = (body[at] ?? 0) ^ (1 << context.random.int(8));
    setBody(response, body);
    context.lie("altered");
  }, { lie: "altered" }),

  // Content-Encoding.
  changed("Content-Encoding: gzip is said of the archive itself", (response) => {
    setHeader(response, "Content-Encoding", "gzip");
  }),
  fault("Content-Encoding: gzip is said of the archive itself, and it is cut", (context) => {
    const { connection, random, sound } = context;
    setHeader(sound, "Content-Encoding", "gzip");
    return sendCut(connection, random, sound, inBody(random, sound), anyEnding(random));
  }),
  fault("Content-Encoding: gzip of the archive ends early", (context) => {
    const { random, sound } = context;
    setHeader(sound, "Content-Encoding", "gzip");
    setFraming(sound, random.pick(["chunked", "close"]));
    sound.body = sound.body.subarray(0, inBody(random, sound));
    return sendSound(context);
  }, { framing: "chunked" }),
  changed("Content-Encoding: gzip by a front", (response) => {
    setHeader(response, "Content-Encoding", "gzip");
    setBody(response, gzipSync(response.body));
  }),
  fault("Content-Encoding: gzip by a front, cut", (context) => {
    const { connection, random, sound } = context;
    setHeader(sound, "Content-Encoding", "gzip");
    setBody(sound, gzipSync(sound.body));
    return sendCut(connection, random, sound, inBody(random, sound), anyEnding(random));
  }),
  changed(
    "Content-Encoding: gzip by a front, of a body that ends early",
    (response, { random }) => {
      setHeader(response, "Content-Encoding", "gzip");
      setBody(response, gzipSync(response.body.subarray(0, inBody(random, response))));
    },
  ),
  changed("Content-Encoding: br, which it is not", (response) => {
    setHeader(response, "Content-Encoding", "br");
  }),
  changed("Content-Encoding: identity", (response) => {
    setHeader(response, "Content-Encoding", "identity");
  }),

  // Time.
  fault("silence within the body", async ({ connection, random, sound }) => {
    await connection.write(head(sound));
    await sendBytes(connection, random, sound, inBody(random, sound) - 1);
    if (sound.body.length > 0) await untilClosed(connection);
  }),
  fault("silence after the headers", async ({ connection, sound }) => {
    await connection.write(head(sound));
    if (sound.body.length > 0) await untilClosed(connection);
  }),
  fault("no response", ({ connection }) => untilClosed(connection)),
  fault("single bytes", async ({ connection, random, sound }) => {
    await connection.write(head(sound));
    const slow = Math.min(sound.body.length, 30 + random.int(60));
    for (let at = 0; at < slow && connection.isOpen; at++) {
      const byte = sound.body.subarray(at, at + 1);
      await connection.write(sound.framing === "chunked" ? chunk(byte) : byte);
      await delay(random.int(4));
    }
    if (random.int(2) === 0) return close(connection, anyEnding(random));
    const rest = sound.body.subarray(slow);
    await sendBytes(connection, random, { ...sound, body: rest }, rest.length);
    if (sound.framing === "chunked") await connection.write("0\r\n\r\n");
    if (sound.isLast) connection.end();
  }),
  fault("late headers", async (context) => {
    await Promise.race([delay(50 + context.random.int(700)), context.connection.closed]);
    await sendSound(context);
  }),

  // Connections.
  fault("no listener for a while", ({ refuse, random }) => {
    refuse(20 + random.int(400));
    return Promise.resolve();
  }),
  fault("a kept-alive connection closed after the response", async (context) => {
    context.sound.isLast = false;
    await sendSound(context);
    await delay(context.random.int(3));
    close(context.connection, anyEnding(context.random));
  }, { framing: "length" }),
  fault("cut, and the next connection closed", async (context) => {
    const { connection, random, sound } = context;
    await sendCut(connection, random, sound, inBody(random, sound), anyEnding(random));
    context.refuse(random.int(10));
  }),
  fault("a response before the request", async ({ connection, random, sound }) => {
    await send(connection, random, { ...sound, isLast: true });
  }, { isBeforeRequest: true }),
  fault(
    "a cut response before the request",
    ({ connection, random, sound }) =>
      sendCut(connection, random, sound, inBody(random, sound), anyEnding(random)),
    {
      isBeforeRequest: true,
    },
  ),
  fault(
    "a redirect to another origin, and a cut there",
    ({ connection, random, cutUrl }) =>
      send(connection, random, wireResponse("302 Found", [["Location", cutUrl]], "")),
    {
      isOfApi: true,
    },
  ),
  fault(
    "a redirect to itself, once",
    ({ connection, random, request }) =>
      send(connection, random, wireResponse("302 Found", [["Location", request.target]], "")),
    {
      isOfApi: true,
    },
  ),
  fault(
    "a redirect without a place",
    ({ connection, random }) => send(connection, random, wireResponse("302 Found", [], "")),
    { isOfApi: true },
  ),
  fault(
    "a redirect to ftp:",
    ({ connection, random }) =>
      send(connection, random, wireResponse("302 Found", [["Location", "ftp://127.0.0.1/a"]], "")),
    {
      isOfApi: true,
    },
  ),
];

/** Whether a response says how long the archive is. */
export function isLengthSent({ framing, headers, lengthHeaders }: WireResponse): boolean {
  return framing === "length" && lengthHeaders.length > 0 ||
    headers.some(([name]) => name === "Content-Range");
}

/** Silence until the client gives up, or for so long that it should have. */
async function untilClosed({ closed, reset }: RawConnection): Promise<void> {
  const timer = new AbortController();
  await Promise.race([
    closed,
    delay(STALL_MS, undefined, { signal: timer.signal }).catch(() => {}),
  ]);
  timer.abort();
  reset();
}
