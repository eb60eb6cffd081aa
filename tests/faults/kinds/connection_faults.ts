import { setTimeout as delay } from "node:timers/promises";
import {
  faultKind,
  randomEnding,
  randomPosition,
  sendResponse,
  waitUntilClosed,
} from "../fault_builders.ts";
import type { FaultKind } from "../fault_kind.ts";
import { chunk, close, head, send, sendBytes, sendCut, wireResponse } from "../wire_response.ts";

/** Slow, stalled, refused and redirected connections. */
export const CONNECTION_FAULTS: readonly FaultKind[] = [
  faultKind("a stall within the body", async ({ connection, random, response }) => {
    await connection.write(head(response));
    await sendBytes(connection, random, response, randomPosition(random, response) - 1);
    if (response.body.length > 0) await waitUntilClosed(connection);
  }),
  faultKind("a stall after the headers", async ({ connection, response }) => {
    await connection.write(head(response));
    if (response.body.length > 0) await waitUntilClosed(connection);
  }),
  faultKind("no response", ({ connection }) => waitUntilClosed(connection)),
  faultKind("single bytes", async ({ connection, random, response }) => {
    await connection.write(head(response));
    const slow = Math.min(response.body.length, 30 + random.int(60));
    for (let at = 0; at < slow && connection.isOpen; at++) {
      const byte = response.body.subarray(at, at + 1);
      await connection.write(response.framing === "chunked" ? chunk(byte) : byte);
      await delay(random.int(4));
    }
    if (random.int(2) === 0) return close(connection, randomEnding(random));
    const rest = response.body.subarray(slow);
    await sendBytes(connection, random, { ...response, body: rest }, rest.length);
    if (response.framing === "chunked") await connection.write("0\r\n\r\n");
    if (response.isLast) connection.end();
  }),
  faultKind("late headers", async (context) => {
    await Promise.race([delay(50 + context.random.int(700)), context.connection.closed]);
    await sendResponse(context);
  }),

  faultKind("no listener for a while", ({ refuse, random }) => {
    refuse(20 + random.int(400));
    return Promise.resolve();
  }),
  faultKind("a keep-alive connection closed after the response", async (context) => {
    context.response.isLast = false;
    await sendResponse(context);
    await delay(context.random.int(3));
    close(context.connection, randomEnding(context.random));
  }, { framing: "length" }),
  faultKind("cut, and the next connection closed", async (context) => {
    const { connection, random, response } = context;
    await sendCut(
      connection,
      random,
      response,
      randomPosition(random, response),
      randomEnding(random),
    );
    context.refuse(random.int(10));
  }),
  faultKind("a response before the request", async ({ connection, random, response }) => {
    await send(connection, random, { ...response, isLast: true });
  }, { isBeforeRequest: true }),
  faultKind(
    "a cut response before the request",
    ({ connection, random, response }) =>
      sendCut(connection, random, response, randomPosition(random, response), randomEnding(random)),
    {
      isBeforeRequest: true,
    },
  ),
  faultKind(
    "a redirect to another origin whose response is cut",
    ({ connection, random, cutUrl }) =>
      send(connection, random, wireResponse("302 Found", [["Location", cutUrl]], "")),
    {
      isApiFault: true,
    },
  ),
  faultKind(
    "a redirect to itself, once",
    ({ connection, random, request }) =>
      send(connection, random, wireResponse("302 Found", [["Location", request.target]], "")),
    {
      isApiFault: true,
    },
  ),
  faultKind(
    "a redirect without Location",
    ({ connection, random }) => send(connection, random, wireResponse("302 Found", [], "")),
    { isApiFault: true },
  ),
  faultKind(
    "a redirect to ftp:",
    ({ connection, random }) =>
      send(connection, random, wireResponse("302 Found", [["Location", "ftp://127.0.0.1/a"]], "")),
    {
      isApiFault: true,
    },
  ),
];
