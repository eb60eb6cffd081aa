import { setTimeout as delay } from "node:timers/promises";
import { GZIP_TRAILER_BYTES } from "../archive.ts";
import { cutFault, faultKind, randomEnding, randomPosition } from "../fault_builders.ts";
import type { FaultKind } from "../fault_kind.ts";
import { close, head, sendBytes, sendCut, setFraming } from "../wire_response.ts";

/** Bodies that end before the archive does. */
export const BODY_FAULTS: readonly FaultKind[] = [
  cutFault(
    "cut by FIN",
    ({ random, response }) => response.offset + randomPosition(random, response),
    "fin",
  ),
  cutFault(
    "cut by RST",
    ({ random, response }) => response.offset + randomPosition(random, response),
    "rst",
  ),
  cutFault("cut near the start", ({ random, response }) => response.offset + 1 + random.int(600)),
  cutFault("cut before the last byte", ({ stored }) => stored.source.gzip.length - 1),
  cutFault("cut within the gzip header", ({ random }) => 1 + random.int(9)),
  cutFault(
    "cut at the end of a DEFLATE block",
    ({ random, stored: { source } }) => source.blockEnds[random.int(source.blockEnds.length)] ?? 0,
  ),
  cutFault("cut at the end of the tar", ({ stored }) => stored.source.tarEnd),
  cutFault(
    "cut before the gzip trailer",
    ({ stored }) => stored.source.gzip.length - GZIP_TRAILER_BYTES,
  ),
  cutFault(
    "cut within the gzip trailer",
    ({ random, stored }) => stored.source.gzip.length - 1 - random.int(GZIP_TRAILER_BYTES - 1),
  ),
  faultKind("cut within the headers", async ({ connection, random, response }) => {
    const text = head(response);
    await connection.write(text.slice(0, 1 + random.int(text.length - 2)));
    close(connection, randomEnding(random));
  }),
  faultKind("closed without a response", ({ connection, random }) => {
    close(connection, randomEnding(random));
    return Promise.resolve();
  }),
  faultKind(
    "closed after the headers",
    ({ connection, random, response }) =>
      sendCut(connection, random, response, 0, randomEnding(random)),
  ),
  faultKind(
    "reset after the complete body",
    ({ connection, random, response }) =>
      sendCut(connection, random, response, response.body.length, "rst"),
  ),
  faultKind("a close-delimited body ends early", ({ connection, random, response }) => {
    setFraming(response, "close");
    return sendCut(connection, random, response, randomPosition(random, response), "fin");
  }, { framing: "close" }),
  faultKind("a body without a length is reset while its reader is slow", async (context) => {
    const { connection, random, response } = context;
    await connection.write(head(response));
    await sendBytes(connection, random, response, Math.floor(response.body.length * 0.9));
    await delay(random.int(60));
    connection.reset();
  }, { framing: "chunked", isForSlowReader: true }),
];
