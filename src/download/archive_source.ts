import type { Observable } from "rxjs";
import { ApiResponseValidationError } from "../errors.ts";
import type { Attempt } from "../transport/attempt.ts";
import { discardBody } from "../transport/bounded_text.ts";
import { type HopResponse, requestInfo } from "../transport/hop.ts";
import { mediaType } from "../transport/media_type.ts";
import type { Redact } from "../transport/redact.ts";
import type { Preparation } from "../transport/retry.ts";
import { requireSuccess, type StatusRules } from "../transport/status_error.ts";
import type { Transport } from "../transport/transport.ts";
import type { CheckpointIds } from "../types.ts";
import { followSignedUrl } from "./follow_signed_url.ts";

/** A position in an archive: the bytes that have been received, and of which archive. */
export interface ArchivePosition {
  /** How many bytes from the beginning have been received. */
  readonly loaded: number;
  /** How many bytes the archive has, or `undefined` where that is uncertain. */
  readonly total: number | undefined;
  /**
   * The strong entity tag of the archive, quotes included, or `undefined` where the server sends none
   * that distinguishes it from another archive.
   */
  readonly etag: string | undefined;
}

/** An archive, or the rest of one, whose headers have arrived. */
export interface ArchiveSource extends ArchivePosition {
  /** The position of the first byte of `body` in the archive. */
  readonly loaded: number;
  /** The bytes, to be read or cancelled; `undefined` where all have been received already. */
  readonly body: ReadableStream<Uint8Array> | undefined;
  /** The position after the last byte of `body`, where the server sends it. */
  readonly end: number | undefined;
  /** The length that the server sends, whether it is certain or not. */
  readonly announcedTotal: number | undefined;
  /** Removes secrets from the runtime's message when the connection is lost. */
  readonly redact: Redact;
  /** Aborts the request. Cancelling `body` alone does not disconnect in every browser. */
  abort(): void;
}

const ADVICE: Readonly<Record<number, string>> = {
  404:
    "List the checkpoints of the run with listCheckpoints$; the checkpoint may have been deleted.",
  410: "The archive no longer exists. Choose another checkpoint from listCheckpoints$.",
  425: "The archive is still being built. Retry later, or increase prepareTimeoutMs.",
  501: "The server does not support archives. Check baseUrl.",
};

/** An archive that a proxy compresses again has neither length nor ranges, and is slower. */
const ARCHIVE_HEADERS = { "Accept": "application/gzip", "Accept-Encoding": "identity" } as const;

const PARTIAL_CONTENT = 206;
const RANGE_NOT_SATISFIABLE = 416;

/** What is done with error statuses of the API and of the storage. */
const STATUS_RULES: StatusRules = { alsoAccepted: [RANGE_NOT_SATISFIABLE], adviceFor: ADVICE };

/**
 * Requests a checkpoint's archive, or the rest of it. Each subscription requests it at the API, so that
 * a signed URL is always new.
 *
 * @param position Which bytes have been received. The source begins after them where the server supports
 * that and has the same archive (RFC 9110, section 14.2), else at the beginning.
 * @param preparation How long to wait while the server builds the archive.
 * @param retryForMs How long after its first failure the request is retried, in milliseconds.
 * @returns Emits once, when the headers of the archive have arrived: those of the API's response, of a
 * redirect, or of the signed URL in a JSON response.
 */
export function openArchive$(
  transport: Transport,
  { trainingRunId, checkpointId }: CheckpointIds,
  position: ArchivePosition,
  preparation: Preparation,
  retryForMs?: number,
): Observable<ArchiveSource> {
  return transport.request$({
    operation: "downloadCheckpointArchive",
    method: "GET",
    path: ["training_runs", trainingRunId, "checkpoints", ...checkpointId.split("/"), "archive"],
    headers: { ...ARCHIVE_HEADERS, ...rangeHeaders(position) },
    ...STATUS_RULES,
    preparation,
    retryForMs,
  }, (from, attempt) => readArchive(from, attempt, position));
}

/** The headers that request the missing bytes, if the archive is still the same. */
function rangeHeaders({ loaded, etag }: ArchivePosition): Readonly<Record<string, string>> {
  return loaded > 0 && etag !== undefined ? { "Range": `bytes=${loaded}-`, "If-Range": etag } : {};
}

async function readArchive(
  from: HopResponse,
  attempt: Attempt,
  position: ArchivePosition,
): Promise<ArchiveSource> {
  const archive = await followSignedUrl(from, attempt);
  await requireSuccess(archive, attempt.redact, STATUS_RULES);
  return archiveSource(archive, attempt, position);
}

async function archiveSource(
  from: HopResponse,
  attempt: Attempt,
  position: ArchivePosition,
): Promise<ArchiveSource> {
  const { response } = from;
  const { abort, redact } = attempt;
  const { status, headers, body } = response;
  const invalid = (expected: string, received: string) =>
    new ApiResponseValidationError(`expected ${expected}`, "", received, requestInfo(from, redact));
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
      throw invalid("the whole archive", `a range of it, with status ${status}`);
    }
    // The range does not continue what is there: request the whole archive.
    const whole = await requestWhole(from, attempt);
    return archiveSource(whole, attempt, { ...position, loaded: 0 });
  }
  const type = mediaType(response);
  if (body === null || type === "text/html" || type === "application/json") {
    await discardBody(response);
    throw invalid("the bytes of an archive", body === null ? "" : `a body of type ${type}`);
  }
  return { body, end: undefined, ...announcedLength(response, position), loaded: 0, redact, abort };
}

/** Repeats the latest hop without a range. */
async function requestWhole({ hop }: HopResponse, attempt: Attempt): Promise<HopResponse> {
  const { "Range": _range, "If-Range": _ifRange, ...headers } = hop.headers;
  const whole = await attempt.send({ ...hop, headers });
  await requireSuccess(whole, attempt.redact, { adviceFor: ADVICE });
  return whole;
}

/**
 * Whether a response to a range is the rest of the archive whose first bytes have been received:
 *
 * - A 206 must begin at the next byte and have the same entity tag, which servers must send (RFC 9110,
 *   section 15.3.7): one that ignores `If-Range` may have another archive by now.
 * - A 416 must have the length that was received, with the same tag, or without a tag where the length
 *   is certain: nothing is missing then.
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

/** The value of `Content-Range` (RFC 9110, section 14.4); without `start` for an unsatisfied range. */
interface ContentRange {
  readonly start: number | undefined;
  /** The position after the last byte. */
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
 * Length and entity tag of the bytes that `fetch` returns:
 *
 * - With a content coding, both are those of other bytes (RFC 9110, sections 8.6 and 8.8.3), since
 *   `fetch` decodes the body.
 * - Across origins a browser hides the coding, so that the length is uncertain.
 * - A weak tag does not distinguish bytes.
 * - A length that was certain stays so while the tag is the same.
 */
function announcedLength(
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
