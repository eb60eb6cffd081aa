import {
  type ApiRequestInfo,
  type ApiStatus,
  type ApiStatusError,
  apiStatusError,
} from "../errors.ts";
import { isObject } from "../json.ts";
import { readBoundedText } from "./response_body.ts";
import { type HopResponse, requestInfo } from "./hop.ts";
import type { Redact } from "./redact.ts";
import { statusAdvice } from "./status_advice.ts";

/** How much of an error response is read. */
const MAX_ERROR_BODY_BYTES = 64 * 1024;

/** How much of a body an error's message repeats, in characters. */
const EXCERPT_CHARACTERS = 200;

/** How an endpoint treats error statuses. */
export interface StatusRules {
  /** Error statuses that count as success. */
  readonly alsoAccepted?: readonly number[];
  /** The advice for error statuses that have a specific meaning at the endpoint. */
  readonly adviceFor?: Readonly<Record<number, string>>;
}

/** Throws the {@linkcode ApiStatusError} of a response, unless its status is a success or accepted. */
export async function requireSuccess(
  { hop, response }: HopResponse,
  redact: Redact,
  { alsoAccepted = [], adviceFor }: StatusRules = {},
): Promise<void> {
  if (response.ok || alsoAccepted.includes(response.status)) return;
  const request = { ...requestInfo({ hop, response }, redact), isRedirected: hop.redirects > 0 };
  throw await statusError(response, request, redact, adviceFor);
}

/**
 * Reads an error response in any of the shapes that servers of this API use: `{error, message,
 * details}`, FastAPI's `{detail}`, an object store's XML, a proxy's HTML, or nothing.
 *
 * @param response The response, its body unread.
 * @param request The request that got it.
 * @param redact Removes secrets.
 * @param adviceFor The advice for statuses that have a specific meaning at the endpoint.
 */
export async function statusError(
  response: Response,
  request: ApiRequestInfo & Pick<ApiStatus, "isRedirected">,
  redact: Redact,
  adviceFor: Readonly<Record<number, string>> = {},
): Promise<ApiStatusError> {
  const { headers, status } = response;
  const shouldRetry = headers.get("x-should-retry");
  const waitMs = milliseconds(headers.get("retry-after-ms"), 1) ??
    retryAfterMs(headers.get("Retry-After"));
  return apiStatusError({
    ...request,
    ...await readErrorBody(response, redact),
    status,
    headers: redactedHeaders(headers, redact),
    advice: adviceFor[status] ?? statusAdvice(status, request.isRedirected ?? false, waitMs),
    retryAfterMs: waitMs,
    shouldRetry: shouldRetry === "true" || (shouldRetry === "false" ? false : undefined),
  });
}

/** A copy of headers without secrets and cookies. */
function redactedHeaders(headers: Headers, redact: Redact): Headers {
  const copy = new Headers();
  headers.forEach((value, name) => {
    // A name with a secret is dropped, since a redacted one is invalid.
    if (name !== "set-cookie" && redact(name) === name) copy.append(name, redact(value));
  });
  return copy;
}

/** The error code in the XML of S3, Google Cloud Storage and Azure. */
const XML_CODE = /<Error>[^]*?<Code>\s*([\w.-]+)\s*<\/Code>/;

/** The content of an error response, without secrets. */
export interface ErrorBody {
  readonly message: string;
  readonly code?: string | undefined;
  readonly details?: unknown;
}

/** Reads the body of an error response in any of the shapes of {@linkcode statusError}. */
export async function readErrorBody(response: Response, redact: Redact): Promise<ErrorBody> {
  const { text } = await readBoundedText(response, MAX_ERROR_BODY_BYTES).catch(() => ({
    text: "",
  }));
  if (text.trim() === "") return { message: "the response is empty" };
  const body = parseRedacted(text, redact);
  if (!isObject(body)) {
    return {
      message: `the response is ${excerpt(text, redact)}`,
      code: XML_CODE.exec(redact(text))?.[1],
    };
  }
  const { error, message, detail, details = typeof detail === "string" ? undefined : detail } =
    body;
  const code = typeof error === "string" ? error : undefined;
  return {
    message: [message, detail, joinValidationErrors(detail), code].map(toOneLine).find(Boolean) ??
      `the response is ${excerpt(text, redact)}`,
    code,
    details,
  };
}

/** A text on one line, without control characters and without a full stop at its end. */
function toOneLine(text: unknown): string | undefined {
  return typeof text === "string"
    ? text.replace(/[\s\p{Cc}]+/gu, " ").trim().replace(/\.$/, "")
    : undefined;
}

/**
 * Joins FastAPI's list of validation errors, `[{loc: ["query", "limit"], msg: "…"}]`, into one clause.
 */
function joinValidationErrors(detail: unknown): string | undefined {
  if (!Array.isArray(detail)) return undefined;
  const clauses = detail.filter(isObject).map(({ loc, msg }) =>
    [Array.isArray(loc) ? loc.filter(isPlain).join(".") : "", isPlain(msg) ? msg : ""]
      .filter((part) => part !== "").join(": ")
  );
  return clauses.length === 0 ? undefined : clauses.join("; ");
}

function parseRedacted(text: string, redact: Redact): unknown {
  // The excerpt of a JSON response may be taken from a larger text, whose redaction would take too long.
  if (text.length > MAX_ERROR_BODY_BYTES) return undefined;
  try {
    return JSON.parse(text, (_key, value) => {
      if (typeof value === "string") return redact(value);
      if (!isObject(value)) return value;
      return Object.fromEntries(Object.entries(value).map(([name, part]) => [redact(name), part]));
    });
  } catch {
    return undefined;
  }
}

function isPlain(value: unknown): value is string | number {
  return typeof value === "string" || typeof value === "number";
}

/** The beginning of a body on one line, in quotes, without markup and secrets; "" for an empty body. */
export function excerpt(text: string, redact: Redact): string {
  const json = parseRedacted(text, redact);
  const plainText = redact(json === undefined ? text : JSON.stringify(json))
    .replace(/<(style|script)\b[\s\S]*?<\/\1>|<[^<>]*>/gi, " ").replace(/\s+/g, " ").trim();
  if (plainText === "") return "";
  return JSON.stringify(
    plainText.length > EXCERPT_CHARACTERS
      ? `${plainText.slice(0, EXCERPT_CHARACTERS)}…`
      : plainText,
  );
}

/** Reads `Retry-After`: seconds or a date (RFC 9110, section 10.2.3). */
function retryAfterMs(header: string | null): number | undefined {
  const delayMs = milliseconds(header, 1000);
  // Date.parse accepts nearly anything.
  if (delayMs !== undefined || !/GMT\s*$/.test(header ?? "")) return delayMs;
  const date = Date.parse(header ?? "");
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

/** Reads a number in a unit of `unitMs` milliseconds. */
function milliseconds(header: string | null, unitMs: number): number | undefined {
  return /^\s*\d+(\.\d+)?\s*$/.test(header ?? "") ? Math.ceil(Number(header) * unitMs) : undefined;
}
