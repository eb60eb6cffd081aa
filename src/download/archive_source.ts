import type { Observable } from "rxjs";
import { ApiResponseValidationError } from "../errors.ts";
import { discardBody } from "../transport/bounded_text.ts";
import {
  type Answer,
  exchange,
  type ExchangeContext,
  redirected,
  shownRequest,
} from "../transport/exchange.ts";
import { readJson } from "../transport/read_json.ts";
import type { Redact } from "../transport/redact.ts";
import { requireSuccess, type Transport } from "../transport/transport.ts";
import type { CheckpointIds } from "../types.ts";
import { signedUrl } from "../wire.ts";

/** Which bytes of which archive are there already. */
export interface ArchivePosition {
  /** How many bytes from the beginning are there. */
  readonly loaded: number;
  /** How many bytes the archive has, or `undefined` where that is unknown. */
  readonly total: number | undefined;
  /**
   * The strong entity tag that says which bytes those are, quotes included, or `undefined` where
   * they cannot be told from those of another archive.
   */
  readonly etag: string | undefined;
}

/** An archive, or the rest of one, whose bytes have begun to come. */
export interface ArchiveSource extends ArchivePosition {
  /** Which byte of the archive the first one of `body` is. */
  readonly loaded: number;
  /** The bytes, to be read or cancelled; `undefined` where all are there already. */
  readonly body: ReadableStream<Uint8Array> | undefined;
  /** Whether `total`, if there is one, must be met; else it only serves to show progress. */
  readonly isExact: boolean;
  /** Takes the secrets out of what the runtime says when the bytes break off. */
  readonly redact: Redact;
}

/** Statuses that an archive has while the server still builds it. */
const PREPARING_STATUSES: readonly number[] = [425, 503];

const PARTIAL_CONTENT = 206;
const RANGE_NOT_SATISFIABLE = 416;

/**
 * Asks for a checkpoint's archive, or for the rest of it. Emits once, when the headers of the archive
 * itself are there: be it the API's own answer, that of a redirect, or that of a signed URL which
 * came as JSON. Asks the API anew each time, so that a signed URL is always fresh.
 *
 * @param position Which bytes are there already. The source begins after them where the server can
 * do that and has the same archive (RFC 9110, section 14.2), else at the beginning.
 * @param preparation How long the server may build the archive, in milliseconds, and who is told
 * that it does and how many milliseconds there are until the next request.
 */
export function openArchive$(
  transport: Transport,
  { trainingRunId, checkpointId }: CheckpointIds,
  position: ArchivePosition,
  preparation: { readonly limitMs: number; onWait(delayMs: number): void },
): Observable<ArchiveSource> {
  return transport.request$({
    operation: "downloadCheckpointArchive",
    method: "GET",
    path: ["training_runs", trainingRunId, "checkpoints", ...checkpointId.split("/"), "archive"],
    headers: {
      "Accept": "application/gzip",
      "Accept-Encoding": "identity",
      ...rangeHeaders(position),
    },
    alsoAccepted: [RANGE_NOT_SATISFIABLE],
    patience: { statuses: PREPARING_STATUSES, ...preparation },
  }, (answer, context) => readArchive(answer, context, position));
}

/** Asks for the bytes that are missing, if the archive is still the same one. */
function rangeHeaders({ loaded, etag }: ArchivePosition): Readonly<Record<string, string>> {
  return loaded > 0 && etag !== undefined ? { "Range": `bytes=${loaded}-`, "If-Range": etag } : {};
}

async function readArchive(
  answer: Answer,
  context: ExchangeContext,
  position: ArchivePosition,
): Promise<ArchiveSource> {
  if (mediaType(answer.response) !== "application/json" || !answer.response.ok) {
    return archiveSource(answer, context, position);
  }
  const { url } = await readJson(signedUrl)(answer, context);
  const signed = await exchange(redirected(answer.request, url, context), context);
  await requireSuccess(signed, context, [RANGE_NOT_SATISFIABLE]);
  return archiveSource(signed, context, position);
}

async function archiveSource(
  answer: Answer,
  context: ExchangeContext,
  position: ArchivePosition,
): Promise<ArchiveSource> {
  const { response, request } = answer;
  const { redact } = context;
  const { status, headers, body } = response;
  if (status === RANGE_NOT_SATISFIABLE || status === PARTIAL_CONTENT) {
    const range = contentRange(headers);
    const isSame = range !== undefined && isSameArchive(range, headers, position);
    const isNext = range?.start === position.loaded && isIdentity(headers);
    if (isSame && isNext && status === PARTIAL_CONTENT && body !== null) {
      return { ...position, body, total: range.total, isExact: true, redact };
    }
    await discardBody(response);
    if (isSame && range.start === undefined && range.total === position.loaded) {
      return { ...position, body: undefined, total: range.total, isExact: true, redact };
    }
    if (position.loaded === 0) {
      const got = `a part of it, with status ${status}`;
      const problem = "expected the whole archive";
      throw new ApiResponseValidationError(problem, "", got, shownRequest(request, redact));
    }
    // The range does not fit what is there: the whole archive, then, and see what can be done.
    return archiveSource(
      await wholeArchive(request, context),
      context,
      { loaded: 0, total: undefined, etag: undefined },
    );
  }
  const type = mediaType(response);
  if (body === null || type === "text/html" || type === "application/json") {
    await discardBody(response);
    const problem = "expected the bytes of an archive";
    const got = body === null ? "" : `a body of type ${type}`;
    throw new ApiResponseValidationError(problem, "", got, shownRequest(request, redact));
  }
  // Across origins a browser hides the content coding, so that the length may be of other bytes.
  const isExact = response.type !== "cors" || headers.has("Content-Encoding");
  return { body, loaded: 0, ...announced(headers), isExact, redact };
}

async function wholeArchive(
  { headers: { "Range": _range, "If-Range": _ifRange, ...headers }, ...request }: Answer["request"],
  context: ExchangeContext,
): Promise<Answer> {
  const answer = await exchange({ ...request, headers }, context);
  await requireSuccess(answer, context);
  return answer;
}

function mediaType({ headers }: Response): string {
  return headers.get("Content-Type")?.split(";")[0]?.trim().toLowerCase() ?? "";
}

/**
 * Whether a partial answer is of the archive whose first bytes are there: neither the length nor the
 * entity tag is another. Without the length nobody could tell whether the part goes up to the end.
 */
function isSameArchive(
  range: ContentRange,
  headers: Headers,
  { total, etag }: ArchivePosition,
): boolean {
  return range.total !== undefined && range.total === (total ?? range.total) &&
    (headers.get("ETag") ?? etag) === etag;
}

/** What `Content-Range` says (RFC 9110, section 14.4); no `start` if the range cannot be satisfied. */
interface ContentRange {
  readonly start: number | undefined;
  readonly total: number | undefined;
}

function contentRange(headers: Headers): ContentRange | undefined {
  const [, start, total] =
    /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/i.exec(headers.get("Content-Range")?.trim() ?? "") ?? [];
  if (total === undefined) return undefined;
  return {
    start: start === undefined ? undefined : Number(start),
    total: total === "*" ? undefined : Number(total),
  };
}

/**
 * Length and entity tag of the bytes that `fetch` gives. Under a content coding both are those of
 * other bytes (RFC 9110, sections 8.6 and 8.8.3), since `fetch` decodes by itself. A weak tag does not
 * tell bytes apart.
 */
function announced(headers: Headers): Pick<ArchivePosition, "total" | "etag"> {
  if (!isIdentity(headers)) return { total: undefined, etag: undefined };
  const length = headers.get("Content-Length") ?? "";
  const etag = headers.get("ETag")?.trim() ?? "";
  return {
    total: /^\d+$/.test(length) ? Number(length) : undefined,
    etag: etag.startsWith('"') ? etag : undefined,
  };
}

function isIdentity(headers: Headers): boolean {
  return (headers.get("Content-Encoding")?.trim().toLowerCase() || "identity") === "identity";
}
