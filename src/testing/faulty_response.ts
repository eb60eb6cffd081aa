// This module is browser compatible.

import { byteRange } from "./byte_stream.ts";
import { errorResponse, type FakeResponse, textResponse } from "./fake_response.ts";
import type { Fault, StatusFault } from "./faults.ts";

/** The faults that change how a response's body is sent. */
type BodyFault = Extract<
  Fault,
  { type: "cut" | "stall" | "truncate" | "wrong-length" | "malformed-json" | "encoded" }
>;

/** The default code and message of an error with one of these statuses. */
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

/** Returns the response that a status fault sends instead of the operation's. */
export function statusResponse(fault: StatusFault): FakeResponse {
  const { status, shape = "hpcai", headers = {}, details, body } = fault;
  if (body !== undefined) return textResponse(status, body, headers);
  const [code, message] = ERRORS[status] ?? [`status_${status}`, `Status ${status}`];
  const facts = { code: fault.code ?? code, message: fault.message ?? message, details };
  return errorResponse(status, shape, facts, headers);
}

/** Changes the body of a response, or the headers that describe it. */
export function applyBodyFault(response: FakeResponse, fault: BodyFault): FakeResponse {
  const { headers, body } = response;
  if (body === undefined) return response;
  const first = (bytes: number) => byteRange(body, 0, Math.min(bytes, body.byteLength));
  switch (fault.type) {
    case "cut":
      return { ...response, body: first(fault.afterBytes), ending: "error" };
    case "stall":
      return { ...response, body: first(fault.afterBytes), ending: "stall" };
    case "truncate": {
      const { "Content-Length": _, ...withoutLength } = headers;
      return {
        ...response,
        headers: fault.announceLength === false ? withoutLength : headers,
        body: first(fault.afterBytes),
      };
    }
    case "wrong-length":
      return { ...response, headers: { ...headers, "Content-Length": String(fault.length) } };
    case "malformed-json": {
      const half = first(Math.floor(body.byteLength / 2));
      const length = String(half.byteLength);
      return { ...response, headers: { ...headers, "Content-Length": length }, body: half };
    }
    case "encoded":
      return { ...response, headers: { ...headers, "Content-Encoding": "gzip" } };
  }
}
