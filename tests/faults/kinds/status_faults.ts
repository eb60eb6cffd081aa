import {
  changeFault,
  faultKind,
  noArchiveFault,
  sendResponse,
  statusFault,
} from "../fault_builders.ts";
import type { FaultKind } from "../fault_kind.ts";
import { setFraming, setHeader } from "../wire_response.ts";

const HTML = "<!doctype html><title>Sign in</title><p>Your session has expired.</p>";

/** Other statuses, malformed heads, and bodies that are not archives. */
export const STATUS_FAULTS: readonly FaultKind[] = [
  statusFault("204", "204 No Content"),
  statusFault("304", "304 Not Modified", [["ETag", '"another"']]),
  statusFault("202", "202 Accepted", [["Content-Type", "application/json"]], '{"status":"queued"}'),
  statusFault("200 without a body", "200 OK", [["Content-Type", "application/gzip"]]),
  statusFault("200 with HTML", "200 OK", [["Content-Type", "text/html; charset=utf-8"]], HTML),
  noArchiveFault("200 with HTML without Content-Type", [], HTML),
  statusFault(
    "200 with malformed JSON",
    "200 OK",
    [["Content-Type", "application/json"]],
    '{"url": "',
  ),
  statusFault("200 with other JSON", "200 OK", [["Content-Type", "application/json"]], '{"id": 7}'),
  noArchiveFault("200 with zeros", [["Content-Type", "application/gzip"]], "\0".repeat(20_000)),
  statusFault(
    "400 ExpiredToken",
    "400 Bad Request",
    [["Content-Type", "application/xml"]],
    "<Error><Code>ExpiredToken</Code></Error>",
  ),
  statusFault("401", "401 Unauthorized"),
  statusFault("403", "403 Forbidden", [["Content-Type", "application/xml"]], "<Error/>"),
  statusFault("404", "404 Not Found", [], "no such object"),
  statusFault("408", "408 Request Timeout", [["Connection", "close"]]),
  statusFault("425", "425 Too Early", [["Retry-After", "0"]]),
  statusFault("429", "429 Too Many Requests", [["Retry-After", "0"]]),
  statusFault(
    "500",
    "500 Internal Server Error",
    [["Content-Type", "application/json"]],
    '{"error": "internal", "message": "the store failed"}',
  ),
  statusFault("502 with HTML", "502 Bad Gateway", [["Content-Type", "text/html"]], HTML),
  statusFault("503 with Retry-After: 0", "503 Service Unavailable", [["Retry-After", "0"]]),
  statusFault("299", "299 Unknown"),
  changeFault("a malformed status line", (response, { random }) => {
    response.statusLine = random.pick(["HTTP/1.1 abc OK", "HTTP/9.9 200 OK", "ICY 200 OK", "\0\0"]);
  }),
  faultKind("103 before the response, which is valid", async (context) => {
    await context.connection.write("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    await sendResponse(context);
  }),
  changeFault("HTTP/1.0, which is valid", (response) => {
    if (response.framing === "chunked") setFraming(response, "close");
    response.statusLine = response.statusLine.replace("HTTP/1.1", "HTTP/1.0");
    response.isLast = true;
  }),
  changeFault(
    "a header of 100 kB",
    (response) => setHeader(response, "X-Large", "x".repeat(100_000)),
  ),
  changeFault("a malformed header", (response) => setHeader(response, "X-Ma lformed\x01", "\x02")),
];
