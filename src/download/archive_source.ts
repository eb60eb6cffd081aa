import type { Observable } from "rxjs";
import { ApiResponseValidationError } from "../errors.ts";
import { discardBody } from "../transport/bounded_text.ts";
import {
  type Answer,
  exchange,
  type ExchangeContext,
  redirected,
  requestInfo,
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
  /** How many bytes the archive has, or `undefined` where that is not certain. */
  readonly total: number | undefined;
  /**
   * The strong entity tag that says which bytes those are, quotes included, or `undefined` where
   * they cannot be told from those of another archive.
   */
  readonly etag: string | undefined;
}

/** An archive, or the rest of one, whose first bytes have arrived. */
export interface ArchiveSource extends ArchivePosition {
  /** Which byte of the archive the first one of `body` is. */
  readonly loaded: number;
  /** The bytes, to be read or cancelled; `undefined` where all are there already. */
  readonly body: ReadableStream<Uint8Array> | undefined;
  /** Which byte of the archive comes after the last one of `body`, where the server says so. */
  readonly end: number | undefined;
  /** How many bytes the archive has by what the server says, be it certain or not. */
  readonly announcedTotal: number | undefined;
  /** Takes the secrets out of what the runtime says when the connection is lost. */
  readonly redact: Redact;
  /** Aborts the request. Cancelling `body` alone does not disconnect in every browser. */
  abort(): void;
}

/** Statuses that an archive has while the server still builds it. */
const PREPARING_STATUSES: readonly number[] = [425, 503];

const ADVICE: Readonly<Record<number, string>> = {
  404:
    "List the checkpoints of the run with listCheckpoints$; the checkpoint may have been deleted.",
  410: "The archive no longer exists. Choose another checkpoint from listCheckpoints$.",
  425: "The archive is still being built. Retry later, or increase prepareTimeoutMs.",
  501: "The server does not support archives. Check baseUrl.",
};

/** Compressed again on the way, an archive would have neither length nor ranges, and come slower. */
const ARCHIVE_HEADERS = { "Accept": "application/gzip", "Accept-Encoding": "identity" } as const;

const PARTIAL_CONTENT = 206;
const RANGE_NOT_SATISFIABLE = 416;
/** Which error statuses are read, and what to do about others. */
const EXPECTED = { alsoAccepted: [RANGE_NOT_SATISFIABLE], adviceFor: ADVICE } as const;

/**
 * Asks for a checkpoint's archive, or for the rest of it. Emits once, when the headers of the archive
 * itself are there: be it the API's own answer, that of a redirect, or that of a signed URL which
 * came as JSON. Asks the API anew each time, so that a signed URL is always fresh.
 *
 * @param position Which bytes are there already. The source begins after them where the server can
 * do that and has the same archive (RFC 9110, section 14.2), else at the beginning.
 * @param preparation How long the server may build the archive, in milliseconds, and who is told
 * that it does and how many milliseconds there are until the next request.
 * @param retryForMs How long after its first failure the request is still retried, in milliseconds.
 */
export function openArchive$(
  transport: Transport,
  { trainingRunId, checkpointId }: CheckpointIds,
  position: ArchivePosition,
  preparation: { readonly limitMs: number; onWait(delayMs: number): void },
  retryForMs?: number,
): Observable<ArchiveSource> {
  return transport.request$({
    operation: "downloadCheckpointArchive",
    method: "GET",
    path: ["training_runs", trainingRunId, "checkpoints", ...checkpointId.split("/"), "archive"],
    headers: { ...ARCHIVE_HEADERS, ...rangeHeaders(position) },
    ...EXPECTED,
    patience: { statuses: PREPARING_STATUSES, ...preparation },
    retryForMs,
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
  const signed = await exchange(redirected(answer, url, context), context);
  await requireSuccess(signed, context, { alsoAccepted: [RANGE_NOT_SATISFIABLE] });
  return archiveSource(signed, context, position);
}

async function archiveSource(
  answer: Answer,
  context: ExchangeContext,
  position: ArchivePosition,
): Promise<ArchiveSource> {
  const { response, request } = answer;
  const { redact, controller } = context;
  const { status, headers, body } = response;
  const abort = () => controller.abort();
  if (status === RANGE_NOT_SATISFIABLE || status === PARTIAL_CONTENT) {
    const range = contentRange(headers);
    if (range !== undefined && isRestOf(position, status, range, headers)) {
      const { end, total: announcedTotal } = range;
      if (status === RANGE_NOT_SATISFIABLE) await discardBody(response);
      const rest = status === RANGE_NOT_SATISFIABLE ? undefined : body ?? undefined;
      return { ...position, body: rest, end, announcedTotal, redact, abort };
    }
    await discardBody(response);
    if (position.loaded === 0) {
      const got = `a part of it, with status ${status}`;
      const problem = "expected the whole archive";
      throw new ApiResponseValidationError(problem, "", got, requestInfo(answer, redact));
    }
    // The range does not fit what is there: the whole archive, then, and see what can be done.
    return archiveSource(await wholeArchive(request, context), context, {
      ...position,
      loaded: 0,
    });
  }
  const type = mediaType(response);
  if (body === null || type === "text/html" || type === "application/json") {
    await discardBody(response);
    const problem = "expected the bytes of an archive";
    const got = body === null ? "" : `a body of type ${type}`;
    throw new ApiResponseValidationError(problem, "", got, requestInfo(answer, redact));
  }
  return { body, end: undefined, ...announced(response, position), loaded: 0, redact, abort };
}

async function wholeArchive(
  { headers: { "Range": _range, "If-Range": _ifRange, ...headers }, ...request }: Answer["request"],
  context: ExchangeContext,
): Promise<Answer> {
  const answer = await exchange({ ...request, headers }, context);
  await requireSuccess(answer, context, {});
  return answer;
}

function mediaType({ headers }: Response): string {
  return headers.get("Content-Type")?.split(";")[0]?.trim().toLowerCase() ?? "";
}

/**
 * Whether a partial response is the rest of the archive whose first bytes are there: it begins at the
 * next byte, or says that there is none, with the same entity tag and no other length. A 206 without
 * the tag is refused, since servers must send it (RFC 9110, section 15.3.7), and one that ignores
 * `If-Range` may have another archive by now; a 416 needs the tag or a length that is certain.
 */
function isRestOf(
  { loaded, total, etag }: ArchivePosition,
  status: number,
  range: ContentRange,
  headers: Headers,
): boolean {
  const tag = headers.get("ETag")?.trim();
  const isTagged = etag !== undefined && tag === etag;
  if (range.total === undefined || range.total !== (total ?? range.total)) return false;
  if (status === RANGE_NOT_SATISFIABLE) {
    const isSame = isTagged || tag === undefined && total !== undefined;
    return isSame && range.start === undefined && range.total === loaded;
  }
  return isTagged && isIdentity(headers) && range.start === loaded && range.end !== undefined &&
    range.end > loaded && range.end <= range.total;
}

/** What `Content-Range` says (RFC 9110, section 14.4); no `start` if the range cannot be satisfied. */
interface ContentRange {
  readonly start: number | undefined;
  /** The byte after the last one. */
  readonly end: number | undefined;
  readonly total: number | undefined;
}

function contentRange(headers: Headers): ContentRange | undefined {
  const [, start, last, total] =
    /^bytes (?:(\d+)-(\d+)|\*)\/(\d+|\*)$/i.exec(headers.get("Content-Range")?.trim() ?? "") ?? [];
  if (total === undefined) return undefined;
  return {
    start: start === undefined ? undefined : Number(start),
    end: last === undefined ? undefined : Number(last) + 1,
    total: total === "*" ? undefined : Number(total),
  };
}

/**
 * Length and entity tag of the bytes that `fetch` gives. Under a content coding both are those of
 * other bytes (RFC 9110, sections 8.6 and 8.8.3), since `fetch` decodes by itself; across origins a
 * browser hides the coding, so that the length is not certain. A weak tag does not tell bytes apart. A
 * length that was certain stays so while the tag is the same.
 */
function announced(
  { headers, type }: Response,
  position: ArchivePosition,
): Pick<ArchiveSource, "total" | "announcedTotal" | "etag"> {
  if (!isIdentity(headers)) return { total: undefined, announcedTotal: undefined, etag: undefined };
  const tag = headers.get("ETag")?.trim() ?? "";
  const etag = tag.startsWith('"') ? tag : undefined;
  const known = etag !== undefined && etag === position.etag ? position.total : undefined;
  const length = headers.get("Content-Length") ?? "";
  const announcedTotal = /^\d+$/.test(length) ? Number(length) : known;
  const isCertain = type !== "cors" || headers.has("Content-Encoding");
  return { total: isCertain ? announcedTotal : known, announcedTotal, etag };
}

function isIdentity(headers: Headers): boolean {
  return (headers.get("Content-Encoding")?.trim().toLowerCase() || "identity") === "identity";
}
