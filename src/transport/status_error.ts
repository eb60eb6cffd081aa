import { type ApiStatusError, apiStatusError, type RequestContext } from "../errors.ts";
import { boundedText } from "./bounded_text.ts";
import type { Redact } from "./redact.ts";

/** No error message needs more of a body than this. */
const MAX_ERROR_BODY_BYTES = 64 * 1024;

/** More of a body than this is not searched for markup. */
const MAX_SHOWN = 4096;

/** How much of a body that is no JSON an error's message repeats, in characters. */
const EXCERPT_CHARACTERS = 200;

/**
 * Reads an error answer in any of the shapes that servers of this API have: `{error, message,
 * details}`, FastAPI's `{detail}`, a proxy's HTML, or nothing.
 *
 * @param response The answer, its body unread.
 * @param request Which request it answers.
 * @param redact Takes the secrets out of what the server wrote.
 */
export async function statusError(
  response: Response,
  request: RequestContext,
  redact: Redact,
): Promise<ApiStatusError> {
  const text = await boundedText(response, MAX_ERROR_BODY_BYTES).catch(() => "");
  return apiStatusError({
    ...request,
    ...describe(text, redact),
    status: response.status,
    retryAfterMs: retryAfterMs(response.headers.get("Retry-After")),
  });
}

interface Description {
  readonly message: string;
  readonly code?: string | undefined;
  readonly details?: unknown;
}

function describe(text: string, redact: Redact): Description {
  if (text.trim() === "") return { message: "the server gave no reason" };
  const body = parseRedacted(text, redact);
  if (!isRecord(body)) return { message: `the server answered ${excerpt(text, redact)}` };
  const { error, message, detail, details = typeof detail === "string" ? undefined : detail } =
    body;
  const code = typeof error === "string" ? error : undefined;
  return {
    message: [message, detail, validationFaults(detail), code].map(oneLine).find(Boolean) ??
      `the server answered ${excerpt(text, redact)}`,
    code,
    details,
  };
}

/** A text without the control characters that would upset a terminal or a log. */
function oneLine(text: unknown): string | undefined {
  return typeof text === "string" ? text.replace(/[\s\p{Cc}]+/gu, " ").trim() : undefined;
}

/** Joins FastAPI's list of faults, `[{loc: ["query", "limit"], msg: "…"}]`, to one sentence. */
function validationFaults(detail: unknown): string | undefined {
  if (!Array.isArray(detail)) return undefined;
  const faults = detail.filter(isRecord).map(({ loc, msg }) =>
    [Array.isArray(loc) ? loc.filter(isPlain).join(".") : "", isPlain(msg) ? msg : ""]
      .filter((part) => part !== "").join(": ")
  );
  return faults.length === 0 ? undefined : faults.join("; ");
}

function parseRedacted(text: string, redact: Redact): unknown {
  try {
    return JSON.parse(text, (_key, value) => {
      if (typeof value === "string") return redact(value);
      if (!isRecord(value)) return value;
      return Object.fromEntries(Object.entries(value).map(([name, part]) => [redact(name), part]));
    });
  } catch {
    return undefined;
  }
}

function isPlain(value: unknown): value is string | number {
  return typeof value === "string" || typeof value === "number";
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The beginning of a body on one line, without markup and secrets, in quotes; empty if it is. */
export function excerpt(text: string, redact: Redact): string {
  const json = parseRedacted(text, redact);
  const plain = (json === undefined ? redact(text) : JSON.stringify(json).slice(0, MAX_SHOWN))
    .replace(/<(style|script)\b[\s\S]*?<\/\1>|<[^<>]*>/gi, " ").replace(/\s+/g, " ").trim();
  if (plain === "") return "";
  return JSON.stringify(
    plain.length > EXCERPT_CHARACTERS ? `${plain.slice(0, EXCERPT_CHARACTERS)}…` : plain,
  );
}

/** Reads `Retry-After`: seconds or a date (RFC 9110, section 10.2.3). */
function retryAfterMs(header: string | null): number | undefined {
  if (header === null) return undefined;
  if (/^\s*\d+(\.\d+)?\s*$/.test(header)) return Math.ceil(Number(header) * 1000);
  // Date.parse takes nearly anything.
  const date = /GMT\s*$/.test(header) ? Date.parse(header) : NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}
