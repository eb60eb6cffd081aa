import { ApiResponseValidationError, LimitExceededError } from "../errors.ts";
import { type Decode, JsonFault } from "../json.ts";
import { boundedText } from "./bounded_text.ts";
import { type Answer, connectionError, type ExchangeContext, requestInfo } from "./exchange.ts";
import { redactedCause } from "./redact.ts";
import { excerpt } from "./status_error.ts";
import type { ReadAnswer } from "./transport.ts";

/** A fault's message repeats what was there instead, which can be anything. */
const MAX_FAULT_CHARACTERS = 200;

/**
 * Reads an answer's JSON and validates it.
 *
 * @param decode Turns the JSON into what becomes of it.
 */
export function readJson<T>(decode: Decode<T>): ReadAnswer<T> {
  return async (answer, context) => {
    const text = await bodyText(answer, context);
    const invalid = (problem: string, path = "") =>
      new ApiResponseValidationError(
        problem,
        path,
        excerpt(text, context.redact),
        requestInfo(answer, context.redact),
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
      throw invalid(context.redact(fault.problem).slice(0, MAX_FAULT_CHARACTERS), fault.path);
    }
  };
}

async function bodyText(
  answer: Answer,
  { options: { maxJsonBytes }, redact }: ExchangeContext,
): Promise<string> {
  const { text, isWhole } = await boundedText(answer.response, maxJsonBytes).catch((error) => {
    const cause = redactedCause(error, redact);
    throw connectionError("The connection was lost during the response", cause, answer, redact);
  });
  if (isWhole) return text;
  const { method, requestUrl } = requestInfo(answer, redact);
  const subject = `The response to ${method} ${requestUrl}`;
  throw new LimitExceededError("maxJsonBytes", maxJsonBytes, subject);
}
