import {
  asyncScheduler,
  catchError,
  defer,
  finalize,
  Observable,
  switchMap,
  tap,
  throwError,
} from "rxjs";
import { retryWithBackoff } from "../transport/retry.ts";
import { transferPolicy } from "../transport/retry_policy.ts";
import type { Transport } from "../transport/transport.ts";
import type { CheckpointIds } from "../types.ts";
import { type ArchivePosition, openArchive$ } from "./archive_source.ts";
import { Interruption, toInterruption } from "./interruption.ts";
import type { LockedSink } from "./lock_sink.ts";
import {
  type ObserveChunk,
  type Progress,
  pumpInto,
  type TransferLoaded,
  type TransferRestart,
} from "./pump.ts";
import type { TransferSettings } from "./transfer_settings.ts";

/** The archive is not ready; the request is sent again. */
export interface TransferPreparing {
  readonly type: "preparing";
  /** How many milliseconds until the next request. */
  readonly retryInMs: number;
}

/** What a transfer reports. */
export type TransferUpdate = TransferPreparing | TransferLoaded | TransferRestart;

/** How to transfer. */
export interface TransferRequest extends TransferSettings {
  /** Which bytes the sink has already; default none. */
  readonly position?: ArchivePosition | undefined;
  /** Called with each chunk and its place in the archive, before the sink takes it. */
  readonly observe?: ObserveChunk | undefined;
}

const BEGINNING: ArchivePosition = { loaded: 0, total: undefined, etag: undefined };

/**
 * Moves an archive into a sink with the sink's backpressure, and closes the sink. Where the connection
 * is lost, stalls or ends early, the transfer resumes from the byte that it reached, as long as it
 * makes progress; where the server cannot do that, it restarts if the sink can.
 *
 * The archive is complete when its length is certain and reached; else when its own end was read, that
 * of its gzip and of its tar.
 *
 * @param sink The sink, locked by `lockSink$`. To make the transfer wait for its turn, pass the
 * Observable through a limit such as `Transport.limitTransfers`: the sink stays locked while it waits.
 * @returns Emits `loaded` when the archive is open and after each chunk, `preparing` while the server
 * builds the archive, `restart` when the sink has dropped what it had; completes once the sink is
 * closed. Fails with a {@linkcode DownloadInterruptedError} if the transfer is interrupted and cannot be
 * resumed, and with an {@linkcode InvalidArchiveError} if the length is uncertain, and the bytes are
 * neither gzip nor tar.
 */
export function transfer$(
  transport: Transport,
  checkpoint: CheckpointIds,
  sink: LockedSink,
  { position = BEGINNING, observe, ...settings }: TransferRequest,
): Observable<TransferUpdate> {
  return defer(() => {
    const retryOptions = transport.retryOptions();
    const pump = pumpInto(sink, settings, observe);
    let progress: Progress = { reached: position, isDamaged: false };
    let furthest = position.loaded;
    let progressAt: number | undefined;

    const canContinue = () => {
      const { reached, isDamaged } = progress;
      return sink.restart !== undefined ||
        !isDamaged && (reached.loaded === 0 || reached.etag !== undefined);
    };
    /** How much longer the archive may take to open again; `undefined` before the first byte. */
    const interruptionLeftMs = () =>
      progressAt === undefined
        ? undefined
        : Math.max(0, progressAt + retryOptions.maxInterruptionMs - asyncScheduler.now());
    /** Bytes that only repeat what a restart dropped are no progress, or a server could cut for ever. */
    const isProgress = (update: TransferUpdate): boolean => {
      if (update.type !== "loaded" || update.loaded <= furthest) return false;
      furthest = update.loaded;
      progressAt = asyncScheduler.now();
      return true;
    };

    const attempt$ = new Observable<TransferUpdate>((subscriber) =>
      openArchive$(
        transport,
        checkpoint,
        progress.isDamaged ? BEGINNING : progress.reached,
        {
          limitMs: settings.prepareTimeoutMs,
          onWait: (retryInMs) => subscriber.next({ type: "preparing", retryInMs }),
        },
        interruptionLeftMs(),
      ).pipe(
        catchError((error) => throwError(() => toInterruption(error, progress.reached))),
        switchMap((source) => pump.pump$(source, progress)),
      ).subscribe(subscriber)
    );

    return attempt$.pipe(
      tap({
        next: (update) => {
          if (update.type === "preparing") return;
          const reached = update.type === "loaded" ? update : BEGINNING;
          progress = { reached, isDamaged: false };
        },
        error: (error) => {
          if (error instanceof Interruption && error.isDamaged) {
            progress = { ...progress, isDamaged: true };
          }
        },
      }),
      retryWithBackoff(retryOptions, {
        policy: transferPolicy((error) => error instanceof Interruption, canContinue),
        retryForMs: () =>
          progressAt === undefined ? retryOptions.maxElapsedMs : retryOptions.maxInterruptionMs,
        isProgress,
      }),
      finalize(pump.release),
    );
  });
}
