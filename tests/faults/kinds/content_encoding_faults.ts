import { gzipSync } from "node:zlib";
import {
  changeFault,
  faultKind,
  randomEnding,
  randomPosition,
  sendResponse,
} from "../fault_builders.ts";
import type { FaultKind } from "../fault_kind.ts";
import { sendCut, setBody, setFraming, setHeader } from "../wire_response.ts";

/** Archives with a content coding. */
export const CONTENT_ENCODING_FAULTS: readonly FaultKind[] = [
  changeFault("Content-Encoding: gzip of an archive without a coding", (response) => {
    setHeader(response, "Content-Encoding", "gzip");
  }),
  faultKind("Content-Encoding: gzip of an archive without a coding, cut", (context) => {
    const { connection, random, response } = context;
    setHeader(response, "Content-Encoding", "gzip");
    return sendCut(
      connection,
      random,
      response,
      randomPosition(random, response),
      randomEnding(random),
    );
  }),
  faultKind("Content-Encoding: gzip of an archive without a coding that ends early", (context) => {
    const { random, response } = context;
    setHeader(response, "Content-Encoding", "gzip");
    setFraming(response, random.pick(["chunked", "close"]));
    response.body = response.body.subarray(0, randomPosition(random, response));
    return sendResponse(context);
  }, { framing: "chunked" }),
  changeFault("Content-Encoding: gzip by a proxy", (response) => {
    setHeader(response, "Content-Encoding", "gzip");
    setBody(response, gzipSync(response.body));
  }),
  faultKind("Content-Encoding: gzip by a proxy, cut", (context) => {
    const { connection, random, response } = context;
    setHeader(response, "Content-Encoding", "gzip");
    setBody(response, gzipSync(response.body));
    return sendCut(
      connection,
      random,
      response,
      randomPosition(random, response),
      randomEnding(random),
    );
  }),
  changeFault(
    "Content-Encoding: gzip by a proxy, of a body that ends early",
    (response, { random }) => {
      setHeader(response, "Content-Encoding", "gzip");
      setBody(response, gzipSync(response.body.subarray(0, randomPosition(random, response))));
    },
  ),
  changeFault("Content-Encoding: br of an archive without a coding", (response) => {
    setHeader(response, "Content-Encoding", "br");
  }),
  changeFault("Content-Encoding: identity", (response) => {
    setHeader(response, "Content-Encoding", "identity");
  }),
];
