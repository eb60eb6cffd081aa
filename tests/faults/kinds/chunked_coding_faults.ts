import { chunkedFault, randomEnding } from "../fault_builders.ts";
import type { FaultKind } from "../fault_kind.ts";
import { chunk, close, sendBytes } from "../wire_response.ts";

/** Valid and invalid chunked transfer codings (RFC 9112, section 7.1). */
export const CHUNKED_CODING_FAULTS: readonly FaultKind[] = [
  chunkedFault("closed within a chunk's size", async ({ connection, random }) => {
    await connection.write("1f");
    close(connection, randomEnding(random));
  }),
  chunkedFault("closed within a chunk's data", async ({ connection, random, response }, sent) => {
    const bytes = response.body.subarray(sent, sent + 1_000);
    const complete = chunk(bytes);
    await connection.write(complete.subarray(0, complete.length - 3));
    close(connection, randomEnding(random));
  }),
  chunkedFault("closed before the last chunk", async ({ connection, random, response }, sent) => {
    const rest = response.body.subarray(sent);
    if (rest.length > 0) await connection.write(chunk(rest));
    close(connection, randomEnding(random));
  }),
  chunkedFault("closed before the last CRLF", async ({ connection, random, response }, sent) => {
    const rest = response.body.subarray(sent);
    if (rest.length > 0) await connection.write(chunk(rest));
    await connection.write("0\r\n");
    close(connection, randomEnding(random));
  }),
  chunkedFault("closed before the last CRLF, early", async ({ connection }) => {
    await connection.write("0\r\n");
    connection.end();
  }),
  chunkedFault("an early last chunk", ({ connection }) => connection.write("0\r\n\r\n")),
  chunkedFault(
    "an early last chunk with a trailer",
    ({ connection }) => connection.write("0\r\nX-Error: the store failed\r\n\r\n"),
  ),
  chunkedFault("a malformed chunk size", async ({ connection, random, response }, sent) => {
    await connection.write("zz\r\n");
    await sendBytes(connection, random, { ...response, body: response.body.subarray(sent) }, 1_000);
    connection.end();
  }),
  chunkedFault("a negative chunk size", async ({ connection }) => {
    await connection.write("-5\r\nabcde\r\n0\r\n\r\n");
    connection.end();
  }),
  chunkedFault("a chunk size above 64 bits", async ({ connection, response }, sent) => {
    await connection.write("fffffffffffffffff\r\n");
    await connection.write(response.body.subarray(sent));
    connection.end();
  }),
  chunkedFault("a chunk size of 2 GiB", async ({ connection, response, random }, sent) => {
    await connection.write("80000000\r\n");
    await connection.write(response.body.subarray(sent));
    close(connection, randomEnding(random));
  }),
  chunkedFault("no CRLF after a chunk's data", async ({ connection, response }, sent) => {
    const complete = chunk(response.body.subarray(sent, sent + 500));
    await connection.write(complete.subarray(0, complete.length - 2));
    await connection.write("5\r\nabcde\r\n0\r\n\r\n");
    connection.end();
  }),
  chunkedFault("chunk extensions, which are valid", async ({ connection, response }, sent) => {
    const rest = response.body.subarray(sent);
    if (rest.length > 0) await connection.write(chunk(rest, ';name="value"'));
    await connection.write("0\r\n\r\n");
  }),
  chunkedFault("trailers, which are valid", async ({ connection, response }, sent) => {
    const rest = response.body.subarray(sent);
    if (rest.length > 0) await connection.write(chunk(rest));
    await connection.write("0\r\nContent-MD5: 0\r\nContent-Length: 7\r\n\r\n");
  }),
];
