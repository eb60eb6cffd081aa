import {
  changeFault,
  faultKind,
  randomEnding,
  randomPosition,
  rangeFault,
  sendResponse,
  waitUntilClosed,
} from "../fault_builders.ts";
import type { FaultKind } from "../fault_kind.ts";
import { makeFull, shortenLength } from "../response_changes.ts";
import { head, send, sendBytes, sendCut, setFraming } from "../wire_response.ts";

/** Bodies whose length differs from what the headers state. */
export const CONTENT_LENGTH_FAULTS: readonly FaultKind[] = [
  faultKind("a Content-Length too long, then FIN", ({ connection, random, response }) => {
    const length = response.body.length;
    response.lengthHeaders = [["Content-Length", String(length + 1 + random.int(5_000))]];
    return sendCut(connection, random, response, length, "fin");
  }, { framing: "length" }),
  faultKind("a Content-Length too long, then a stall", async ({ connection, random, response }) => {
    const length = response.body.length;
    response.lengthHeaders = [["Content-Length", String(length + 1 + random.int(5_000))]];
    await connection.write(head(response));
    await sendBytes(connection, random, response, length);
    await waitUntilClosed(connection);
  }, { framing: "length" }),
  faultKind("a Content-Length and a body too short", (context) => {
    const length = shortenLength(context.response, context);
    context.response.body = context.response.body.subarray(0, length);
    return sendResponse(context);
  }, { framing: "length", defect: "short" }),
  changeFault("a Content-Length too short for a complete body", (response, context) => {
    shortenLength(response, context);
  }, { framing: "length", defect: "short" }),
  ...["abc", "-1", "1e5", "99999999999999999999999", "", "12, 34"].map((value) =>
    changeFault(`Content-Length: ${value || "(empty)"}`, (response) => {
      response.lengthHeaders = [["Content-Length", value]];
      response.isLast = true;
    }, { framing: "length" })
  ),
  changeFault("a Content-Length twice, the same", (response) => {
    response.lengthHeaders = [...response.lengthHeaders, ...response.lengthHeaders];
  }, { framing: "length" }),
  changeFault("a Content-Length twice, differing", ({ body, lengthHeaders }, { random }) => {
    const other: [string, string] = ["Content-Length", String(random.int(body.length))];
    lengthHeaders.push(other);
    if (random.int(2) === 0) lengthHeaders.reverse();
  }, { framing: "length" }),
  changeFault(
    "a Content-Length beside the chunked coding",
    ({ lengthHeaders, body }, { random }) => {
      lengthHeaders.push(["Content-Length", String(random.int(2 * body.length))]);
    },
    { framing: "chunked" },
  ),
  faultKind("bytes after the body", async ({ connection, random, response }) => {
    response.isLast = false;
    await send(connection, random, response);
    await connection.write("HTTP/1.1 999 ?\r\nnot a header at all");
    connection.end();
  }, { framing: "length" }),
  faultKind("bytes after the last chunk", async ({ connection, random, response }) => {
    response.isLast = false;
    await send(connection, random, response);
    await connection.write("12\r\nnot a response\r\n");
    connection.end();
  }, { framing: "chunked" }),
  faultKind("bytes after a close-delimited archive", async ({ connection, random, response }) => {
    await connection.write(head(response));
    await sendBytes(connection, random, response, response.body.length);
    await connection.write("<p>Internal Server Error</p>");
    connection.end();
  }, { framing: "close" }),
  rangeFault("a 200 without the earlier length that ends early", (response, context) => {
    makeFull(response, context);
    setFraming(response, context.random.pick(["chunked", "close"]));
    response.body = response.body.subarray(0, randomPosition(context.random, response));
  }),
  faultKind("a 200 without a length that is cut before the byte reached", (context) => {
    const { response, connection, random } = context;
    makeFull(response, context);
    setFraming(response, random.pick(["chunked", "close"]));
    return sendCut(
      connection,
      random,
      response,
      randomPosition(random, response),
      randomEnding(random),
    );
  }, { isAfterCut: true }),
];
