import { ApiResponseValidationError, LimitExceededError } from "../errors.ts";
import { type Decode, JsonFault } from "../json.ts";
import type { Attempt, ReadResponse } from "./attempt.ts";
import { boundedText } from "./bounded_text.ts";
import { connectionError } from "./connection_error.ts";
import { type HopResponse, requestInfo } from "./hop.ts";
import { redactedCause } from "./redact.ts";
import { excerpt } from "./status_error.ts";

/** How much of the description of a fault is kept: it repeats a value of any length. */
const MAX_FAULT_CHARACTERS = 200;

/** Makes a function that reads and decodes the JSON of a response. */
export function readJson<T>(decode: Decode<T>): ReadResponse<T> {
  return async (from, attempt) => {
    const text = await readText(from, attempt);
    const invalid = (problem: string, path = "") =>
      new ApiResponseValidationError(
        problem,
        path,
        excerpt(text, attempt.redact),
        requestInfo(from, attempt.redact),
      );
    if (text.trim() === "") throw invalid("expected JSON, but the body is empty");
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      throw invalid("expected JSON");
    }
    try {
      return decode(json);
    } catch (fault) {
      if (!(fault instanceof JsonFault)) throw fault;
      throw invalid(attempt.redact(fault.problem).slice(0, MAX_FAULT_CHARACTERS), fault.path);
    }
  };
}

/** Reads the text of a response, up to `maxJsonBytes`. */
export async function readText(
  from: HopResponse,
  { maxJsonBytes, redact }: Attempt,
): Promise<string> {
  const { text, isWhole } = await boundedText(from.response, maxJsonBytes).catch((error) => {
    const cause = redactedCause(error, redact);
    throw connectionError("The connection was lost during the response", cause, from, redact);
  });
  if (isWhole) return text;
  const { method, requestUrl } = requestInfo(from, redact);
  const subject = `The response to ${method} ${requestUrl}`;
  throw new LimitExceededError("maxJsonBytes", maxJsonBytes, subject);
}
