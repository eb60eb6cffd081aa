import { ApiResponseValidationError, LimitExceededError } from "../errors.ts";
import { type Decode, JsonMismatch } from "../json.ts";
import type { Attempt, ReadResponse } from "./attempt.ts";
import { readBoundedText } from "./response_body.ts";
import { connectionError } from "./connection_error.ts";
import { type HopResponse, requestInfo } from "./hop.ts";
import { redactedCause } from "./redact.ts";
import { excerpt } from "./status_error.ts";

/** How many characters of the description of a mismatch are kept. */
const MAX_PROBLEM_CHARACTERS = 200;

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
    } catch (error) {
      if (!(error instanceof JsonMismatch)) throw error;
      throw invalid(attempt.redact(error.problem).slice(0, MAX_PROBLEM_CHARACTERS), error.path);
    }
  };
}

/** Reads the text of a response, up to `maxJsonBytes`. */
export async function readText(
  from: HopResponse,
  { maxJsonBytes, redact }: Attempt,
): Promise<string> {
  const { text, isWhole } = await readBoundedText(from.response, maxJsonBytes).catch((error) => {
    const cause = redactedCause(error, redact);
    throw connectionError("The connection was lost during the response", cause, from, redact);
  });
  if (isWhole) return text;
  const { method, requestUrl } = requestInfo(from, redact);
  const subject = `The response to ${method} ${requestUrl}`;
  throw new LimitExceededError("maxJsonBytes", maxJsonBytes, subject);
}
