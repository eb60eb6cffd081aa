// This module is browser compatible.

import { type Answer, errorAnswer, textAnswer } from "./answer.ts";
import { byteRange } from "./byte_stream.ts";
import type { Fault, StatusFault } from "./faults.ts";

/** The kinds of fault that leave the operation's answer and spoil its body. */
type BodyFault = Extract<
  Fault,
  { type: "cut" | "stall" | "truncate" | "wrong-length" | "malformed-json" | "encoded" }
>;

/** The codes and words that errors of these statuses carry unless told otherwise. */
const ERRORS: Readonly<Record<number, readonly [code: string, message: string]>> = {
  400: ["bad_request", "Bad request"],
  401: ["unauthorized", "Unauthorized"],
  403: ["forbidden", "Forbidden"],
  404: ["not_found", "Not found"],
  408: ["request_timeout", "Request timeout"],
  409: ["conflict", "Conflict"],
  422: ["validation_error", "Unprocessable entity"],
  425: ["too_early", "Too early"],
  429: ["rate_limited", "Too many requests"],
  500: ["internal_error", "Internal server error"],
  502: ["bad_gateway", "Bad gateway"],
  503: ["unavailable", "Service unavailable"],
  504: ["gateway_timeout", "Gateway timeout"],
};

/** The answer that a status fault puts in place of the right one. */
export function statusAnswer(fault: StatusFault): Answer {
  const { status, shape = "hpcai", headers = {}, details, body } = fault;
  if (body !== undefined) return textAnswer(status, body, headers);
  const [code, message] = ERRORS[status] ?? [`status_${status}`, `Status ${status}`];
  const facts = { code: fault.code ?? code, message: fault.message ?? message, details };
  return errorAnswer(status, shape, facts, headers);
}

/** Spoils the body of an answer. */
export function spoiled(answer: Answer, fault: BodyFault): Answer {
  const { headers, body } = answer;
  if (body === undefined) return answer;
  const first = (bytes: number) => byteRange(body, 0, Math.min(bytes, body.byteLength));
  switch (fault.type) {
    case "cut":
      return { ...answer, body: first(fault.afterBytes), ending: "error" };
    case "stall":
      return { ...answer, body: first(fault.afterBytes), ending: "stall" };
    case "truncate": {
      const { "Content-Length": _, ...unannounced } = headers;
      return {
        ...answer,
        headers: fault.announceLength === false ? unannounced : headers,
        body: first(fault.afterBytes),
      };
    }
    case "wrong-length":
      return { ...answer, headers: { ...headers, "Content-Length": String(fault.length) } };
    case "malformed-json": {
      const half = first(Math.floor(body.byteLength / 2));
      const length = String(half.byteLength);
      return { ...answer, headers: { ...headers, "Content-Length": length }, body: half };
    }
    case "encoded":
      return { ...answer, headers: { ...headers, "Content-Encoding": "gzip" } };
  }
}
