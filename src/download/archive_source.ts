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

/** An archive whose bytes have begun to come. */
export interface ArchiveSource {
  /** The bytes, to be read or cancelled. */
  readonly body: ReadableStream<Uint8Array>;
  /** How many bytes there will be, where the server says so in a way that can be relied on. */
  readonly total: number | undefined;
  /** Takes the secrets out of what the runtime says when the bytes break off. */
  readonly redact: Redact;
}

/**
 * Asks for a checkpoint's archive. Emits once, when the headers of the archive itself are there:
 * be it the API's own answer, that of a redirect, or that of a signed URL which came as JSON.
 */
export function openArchive$(
  transport: Transport,
  { trainingRunId, checkpointId }: CheckpointIds,
): Observable<ArchiveSource> {
  return transport.request$({
    operation: "downloadCheckpointArchive",
    method: "GET",
    path: ["training_runs", trainingRunId, "checkpoints", ...checkpointId.split("/"), "archive"],
    headers: { "Accept": "application/gzip" },
  }, readArchive);
}

async function readArchive(answer: Answer, context: ExchangeContext): Promise<ArchiveSource> {
  if (mediaType(answer.response) !== "application/json") return archiveSource(answer, context);
  const { url } = await readJson(signedUrl)(answer, context);
  const signed = await exchange(redirected(answer.request, url, context), context);
  await requireSuccess(signed, context);
  return archiveSource(signed, context);
}

async function archiveSource(answer: Answer, { redact }: ExchangeContext): Promise<ArchiveSource> {
  const { response, request } = answer;
  const type = mediaType(response);
  if (response.body === null || type === "text/html" || type === "application/json") {
    await discardBody(response);
    const problem = "expected the bytes of an archive";
    const got = response.body === null ? "" : `a body of type ${type}`;
    throw new ApiResponseValidationError(problem, "", got, shownRequest(request));
  }
  return { body: response.body, total: announcedLength(response.headers), redact };
}

function mediaType({ headers }: Response): string {
  return headers.get("Content-Type")?.split(";")[0]?.trim().toLowerCase() ?? "";
}

/**
 * The length of the bytes that `fetch` gives. Under a content coding `Content-Length` counts other
 * bytes than those (RFC 9110, section 8.6), since `fetch` decodes by itself.
 */
function announcedLength(headers: Headers): number | undefined {
  const coding = headers.get("Content-Encoding")?.trim().toLowerCase() ?? "identity";
  const length = headers.get("Content-Length") ?? "";
  return coding === "identity" && /^\d+$/.test(length) ? Number(length) : undefined;
}
