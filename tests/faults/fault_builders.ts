/** Functions that create kinds of faults. */
import { setTimeout as delay } from "node:timers/promises";
import type { SeededRandom } from "../../src/testing/seeded_random.ts";
import type { RawConnection } from "../integration/raw_server.ts";
import type { FaultContext, FaultKind } from "./fault_kind.ts";
import {
  type Ending,
  head,
  isLengthSent,
  send,
  sendBytes,
  sendCut,
  type WireResponse,
  wireResponse,
} from "./wire_response.ts";

type FaultTraits = Omit<FaultKind, "name" | "run">;

/** Longer than any client waits for data. */
const STALL_MS = 5_000;

/** Sends the response of a context. */
export function sendResponse({ connection, random, response }: FaultContext): Promise<void> {
  return send(connection, random, response);
}

/** A kind of fault. */
export function faultKind(
  name: string,
  run: (context: FaultContext) => Promise<void>,
  traits: FaultTraits = {},
): FaultKind {
  return { name, run, ...traits };
}

/** A fault that changes the response and sends it completely. */
export function changeFault(
  name: string,
  change: (response: WireResponse, context: FaultContext) => void,
  traits?: FaultTraits,
): FaultKind {
  return faultKind(name, (context) => {
    change(context.response, context);
    return sendResponse(context);
  }, traits);
}

/** A fault that cuts the body at a position in the archive, or at random if the body lacks it. */
export function cutFault(
  name: string,
  position: (context: FaultContext) => number,
  ending?: Ending,
  traits?: FaultTraits,
): FaultKind {
  return faultKind(name, (context) => {
    const { connection, random, response } = context;
    const length = position(context) - response.offset;
    return sendCut(
      connection,
      random,
      response,
      length > 0 && length < response.body.length ? length : randomPosition(random, response),
      ending ?? randomEnding(random),
    );
  }, traits);
}

/** A response with another status instead of the archive. */
export function statusFault(
  name: string,
  status: string,
  headers: [name: string, value: string][] = [],
  body = "",
): FaultKind {
  return faultKind(name, ({ connection, random, response: { isLast } }) =>
    send(
      connection,
      random,
      wireResponse(status, headers, body, { isKeepAlive: !isLast }),
    ));
}

/** A 200 with another body instead of the archive, with a length or without. */
export function noArchiveFault(
  name: string,
  headers: [name: string, value: string][],
  body: string,
): FaultKind {
  return faultKind(name, (context) => {
    const { connection, random, response: { framing, isLast }, recordDefect } = context;
    const response = wireResponse("200 OK", headers, body, { framing, isKeepAlive: !isLast });
    if (isLengthSent(response)) recordDefect("no archive", response.body.length);
    return send(connection, random, response);
  }, { defect: "no archive" });
}

/** A fault of the chunked coding: sends some correct chunks, then calls `sendRest`. */
export function chunkedFault(
  name: string,
  sendRest: (context: FaultContext, sent: number) => Promise<void>,
): FaultKind {
  return faultKind(name, async (context) => {
    const { connection, random, response } = context;
    const sent = randomPosition(random, response);
    await connection.write(head(response));
    await sendBytes(connection, random, response, sent);
    await sendRest(context, sent);
  }, { framing: "chunked" });
}

/** A fault in the response to a range request. */
export function rangeFault(
  name: string,
  change: (response: WireResponse, context: FaultContext) => void,
  traits: FaultTraits = {},
): FaultKind {
  return changeFault(name, change, { isAfterCut: true, ...traits });
}

/** Either way of closing a connection. */
export function randomEnding(random: SeededRandom): Ending {
  return random.pick(["fin", "rst"]);
}

/** A position within a body, except its first and last byte. */
export function randomPosition(random: SeededRandom, { body }: WireResponse): number {
  return Math.min(body.length, 1 + random.int(Math.max(1, body.length - 1)));
}

/** Waits until the client disconnects, no longer than a limit, and resets the connection. */
export async function waitUntilClosed({ closed, reset }: RawConnection): Promise<void> {
  const timer = new AbortController();
  await Promise.race([
    closed,
    delay(STALL_MS, undefined, { signal: timer.signal }).catch(() => {}),
  ]);
  timer.abort();
  reset();
}
