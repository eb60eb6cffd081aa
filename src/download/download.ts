import { concatMap, defer, type Observable, tap } from "rxjs";
import { requireInteger, requireMilliseconds, requireOptions, show } from "../arguments.ts";
import { checkpointIds } from "../checkpoint_path.ts";
import { InvalidArgumentError } from "../errors.ts";
import type { Transport } from "../transport/transport.ts";
import type { CheckpointRef } from "../types.ts";
import type { DownloadEvent, DownloadOptions, TransferSettings } from "./download_event.ts";
import { downloadCancelled, type TransferOptions } from "./transfer_options.ts";

const DEFAULT_PROGRESS_INTERVAL_MS = 100;
const DEFAULT_IDLE_TIMEOUT_MS = 30_000;

/** The Python SDK's budget for retries. */
const DEFAULT_PREPARE_TIMEOUT_MS = 300_000;

/** Downloads an archive into a stream or into memory; what `RestClient.download$` promises. */
export function download$(
  transport: Transport,
  checkpoint: CheckpointRef,
  options: DownloadOptions = {},
): Observable<DownloadEvent> {
  return defer(() => {
    requireOptions("options", options);
    const ids = checkpointIds(checkpoint);
    const { progressIntervalMs, ...transferOptions } = transferSettings(options);
    const { to } = options;
    if (to !== undefined) requireUnlocked(to);
    // Nobody else is to write to it, or to have to look after it, until the code is there.
    const writer = to?.getWriter();
    const release = () => writer?.releaseLock();
    const abort = (reason: unknown) => {
      writer?.abort(reason).catch(() => {});
      release();
    };
    const module$ = defer(importDownloadTo).pipe(
      tap({ next: release, error: abort, unsubscribe: () => abort(downloadCancelled()) }),
    );
    return module$.pipe(
      concatMap(({ downloadTo$ }) =>
        downloadTo$(transport, ids, to, progressIntervalMs, transferOptions)
      ),
    );
  });
}

/** Loaded by the first download, since a page that shows listings need not wait for it. */
const importDownloadTo = () => import("./download_to.ts");

/**
 * Checks what all downloads can be told and fills in the defaults.
 *
 * @throws {InvalidArgumentError} naming the option that is not usable.
 */
export function transferSettings(
  {
    progressIntervalMs = DEFAULT_PROGRESS_INTERVAL_MS,
    idleTimeoutMs = DEFAULT_IDLE_TIMEOUT_MS,
    prepareTimeoutMs = DEFAULT_PREPARE_TIMEOUT_MS,
    maxBytes = Infinity,
    minBytesPerSecond = 0,
  }: TransferSettings,
): TransferOptions & { readonly progressIntervalMs: number } {
  requireMilliseconds("progressIntervalMs", progressIntervalMs, 0);
  requireMilliseconds("idleTimeoutMs", idleTimeoutMs, 1);
  requireMilliseconds("prepareTimeoutMs", prepareTimeoutMs, 0);
  if (maxBytes !== Infinity) requireInteger("maxBytes", maxBytes, 0);
  requireInteger("minBytesPerSecond", minBytesPerSecond, 0);
  return { progressIntervalMs, idleTimeoutMs, prepareTimeoutMs, maxBytes, minBytesPerSecond };
}

function requireUnlocked(to: unknown): void {
  // By its members, since a stream of another realm or a polyfill is as good.
  const fault = typeof to !== "object" || to === null || !("getWriter" in to && "locked" in to)
    ? `must be a WritableStream, but is ${show(to)}`
    : to.locked
    ? "must be a WritableStream that nobody else writes to, but it is locked"
    : undefined;
  if (fault !== undefined) throw new InvalidArgumentError("to", fault);
}
