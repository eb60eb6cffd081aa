/** Responses as bytes, correct or faulty. */
import { concatenate } from "../../src/testing/concatenate.ts";
import type { SeededRandom } from "../../src/testing/seeded_random.ts";
import type { RawConnection } from "../integration/raw_server.ts";

/** How the end of a body is marked (RFC 9112, section 6.3). */
export type Framing = "length" | "chunked" | "close";

/** A response before it is sent: correct until a fault changes it. */
export interface WireResponse {
  /** For example `HTTP/1.1 200 OK`. */
  statusLine: string;
  /** The headers in their order, except those in `lengthHeaders`. */
  headers: [name: string, value: string][];
  /** `Content-Length` and `Transfer-Encoding`. */
  lengthHeaders: [name: string, value: string][];
  body: Uint8Array;
  framing: Framing;
  /** Whether the connection is closed after the response. */
  isLast: boolean;
  /** The position of the first byte of the body in the archive. */
  offset: number;
}

/** How a connection is closed. */
export type Ending = "fin" | "rst";

/** A correct response. */
export function wireResponse(
  status: string,
  headers: [name: string, value: string][],
  body: Uint8Array | string,
  { framing = "length", isKeepAlive = true, offset = 0 }: {
    readonly framing?: Framing;
    readonly isKeepAlive?: boolean;
    readonly offset?: number;
  } = {},
): WireResponse {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  return {
    statusLine: `HTTP/1.1 ${status}`,
    headers,
    // RFC 9110, section 8.6: these statuses have no length.
    lengthHeaders: /^(204|304)/.test(status) ? [] : lengthHeaders(framing, bytes),
    body: bytes,
    framing,
    isLast: framing === "close" || !isKeepAlive,
    offset,
  };
}

/** Sets a header, or removes it where `value` is `undefined`. */
export function setHeader(response: WireResponse, name: string, value: string | undefined): void {
  response.headers = response.headers.filter(([other]) => other !== name);
  if (value !== undefined) response.headers.push([name, value]);
}

/** Replaces the body and keeps the framing. */
export function setBody(response: WireResponse, body: Uint8Array): void {
  response.body = body;
  response.lengthHeaders = lengthHeaders(response.framing, body);
}

/** Replaces the framing. */
export function setFraming(response: WireResponse, framing: Framing): void {
  response.framing = framing;
  response.isLast ||= framing === "close";
  response.lengthHeaders = lengthHeaders(framing, response.body);
}

function lengthHeaders(framing: Framing, body: Uint8Array): [name: string, value: string][] {
  switch (framing) {
    case "length":
      return [["Content-Length", String(body.length)]];
    case "chunked":
      return [["Transfer-Encoding", "chunked"]];
    case "close":
      return [];
  }
}

/** The status line, the headers and the empty line after them. */
export function head({ statusLine, headers, lengthHeaders, isLast }: WireResponse): string {
  const lines = [...headers, ...lengthHeaders, ["Connection", isLast ? "close" : "keep-alive"]];
  return [statusLine, ...lines.map(([name, value]) => `${name}: ${value}`), "", ""].join("\r\n");
}

/** Sends a complete response. */
export async function send(
  connection: RawConnection,
  random: SeededRandom,
  response: WireResponse,
): Promise<void> {
  await connection.write(head(response));
  await sendBytes(connection, random, response, response.body.length);
  if (response.framing === "chunked") await connection.write("0\r\n\r\n");
  if (response.isLast) connection.end();
}

/** Sends a response, and closes the connection after `length` bytes of its body. */
export async function sendCut(
  connection: RawConnection,
  random: SeededRandom,
  response: WireResponse,
  length: number,
  ending: Ending,
): Promise<void> {
  await connection.write(head(response));
  await sendBytes(connection, random, response, length);
  close(connection, ending);
}

/** Closes a connection. */
export function close(connection: RawConnection, ending: Ending): void {
  if (ending === "fin") connection.end();
  else connection.reset();
}

/** Sends at most `maxLength` bytes of a body in random writes, without the end of its framing. */
export async function sendBytes(
  connection: RawConnection,
  random: SeededRandom,
  { body, framing }: WireResponse,
  maxLength: number,
): Promise<void> {
  const length = Math.min(maxLength, body.length);
  const maxWrite = random.pick([1_500, 16_384, 65_536, 1_000_000]);
  for (let from = 0; from < length && connection.isOpen;) {
    const bytes = body.subarray(from, Math.min(length, from + 1 + random.int(maxWrite)));
    await connection.write(framing === "chunked" ? chunk(bytes) : bytes);
    from += bytes.length;
  }
}

/** A chunk of the chunked transfer coding (RFC 9112, section 7.1). */
export function chunk(bytes: Uint8Array, extension = ""): Uint8Array {
  const encoder = new TextEncoder();
  const start = encoder.encode(`${bytes.length.toString(16)}${extension}\r\n`);
  return concatenate([start, bytes, encoder.encode("\r\n")]);
}

/** Whether a response contains the length of the archive. */
export function isLengthSent({ framing, headers, lengthHeaders }: WireResponse): boolean {
  return framing === "length" && lengthHeaders.length > 0 ||
    headers.some(([name]) => name === "Content-Range");
}
