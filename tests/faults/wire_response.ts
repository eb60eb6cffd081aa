/** Responses as they go over the wire, sound or not. */
import type { SeededRandom } from "../../src/testing/seeded_random.ts";
import type { RawConnection } from "../integration/raw_server.ts";

/** How a recipient finds the end of a body (RFC 9112, section 6.3). */
export type Framing = "length" | "chunked" | "close";

/** A response before it is sent. What a sound server would send, until a fault changes it. */
export interface WireResponse {
  /** Such as `HTTP/1.1 200 OK`. */
  statusLine: string;
  /** In the order in which they are sent; without those that say how long the body is. */
  headers: [name: string, value: string][];
  /** `Content-Length` and `Transfer-Encoding`, as they are sent. */
  lengthHeaders: [name: string, value: string][];
  body: Uint8Array;
  framing: Framing;
  /** Whether the connection is closed after the response. */
  isLast: boolean;
  /** Which byte of the archive the first one of the body is. */
  offset: number;
}

/** How a connection is closed. */
export type Ending = "fin" | "rst";

/** Makes a response that is sound. */
export function wireResponse(
  status: string,
  headers: [name: string, value: string][],
  body: Uint8Array | string,
  { framing = "length", isKeptAlive = true, offset = 0 }: {
    readonly framing?: Framing;
    readonly isKeptAlive?: boolean;
    readonly offset?: number;
  } = {},
): WireResponse {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  return {
    statusLine: `HTTP/1.1 ${status}`,
    headers,
    // RFC 9110, section 8.6: these have none.
    lengthHeaders: /^(204|304)/.test(status) ? [] : lengthHeaders(framing, bytes),
    body: bytes,
    framing,
    isLast: framing === "close" || !isKeptAlive,
    offset,
  };
}

/** Sets, replaces or removes a header. */
export function setHeader(response: WireResponse, name: string, value: string | undefined): void {
  response.headers = response.headers.filter(([given]) => given !== name);
  if (value !== undefined) response.headers.push([name, value]);
}

/** Gives a response another body, in the same framing. */
export function setBody(response: WireResponse, body: Uint8Array): void {
  response.body = body;
  response.lengthHeaders = lengthHeaders(response.framing, body);
}

/** Has a response delimit its body in another way. */
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

/** Status line and headers, with the empty line after them. */
export function head({ statusLine, headers, lengthHeaders, isLast }: WireResponse): string {
  const lines = [...headers, ...lengthHeaders, ["Connection", isLast ? "close" : "keep-alive"]];
  return [statusLine, ...lines.map(([name, value]) => `${name}: ${value}`), "", ""].join("\r\n");
}

/** Sends a whole response. */
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

/** Sends a response of whose body no more than `length` bytes come before the connection is closed. */
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

/** Sends the first bytes of a body, in pieces of any size, and nothing after them. */
export async function sendBytes(
  connection: RawConnection,
  random: SeededRandom,
  { body, framing }: WireResponse,
  atMost: number,
): Promise<void> {
  const length = Math.min(atMost, body.length);
  const most = random.pick([1_500, 16_384, 65_536, 1_000_000]);
  for (let from = 0; from < length && connection.isOpen;) {
    const piece = body.subarray(from, Math.min(length, from + 1 + random.int(most)));
    await connection.write(framing === "chunked" ? chunk(piece) : piece);
    from += piece.length;
  }
}

/** A chunk of the chunked transfer coding (RFC 9112, section 7.1). */
export function chunk(bytes: Uint8Array, extension = ""): Uint8Array {
  const start = new TextEncoder().encode(`${bytes.length.toString(16)}${extension}\r\n`);
  const whole = new Uint8Array(start.length + bytes.length + 2);
  whole.set(start);
  whole.set(bytes, start.length);
  whole.set([13, 10], start.length + bytes.length);
  return whole;
}
