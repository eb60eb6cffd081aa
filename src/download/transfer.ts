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
import { Interruption, toDownloadError } from "./interruption.ts";
import type { LockedSink } from "./lock_sink.ts";
import {
  type ObserveChunk,
  pumpInto,
  type TransferLoaded,
  type TransferRestart,
  type TransferState,
} from "./pump.ts";
import type { TransferSettings } from "./transfer_settings.ts";

/** The archive is not ready; the server is polled. */
export interface TransferPreparing {
  readonly type: "preparing";
  /** How many milliseconds until the next request. */
  readonly retryInMs: number;
}

/** An update of a transfer. */
export type TransferUpdate = TransferPreparing | TransferLoaded | TransferRestart;

/** How to transfer. */
export interface TransferRequest extends TransferSettings {
  /** The bytes that the sink has already; default none. */
  readonly position?: ArchivePosition | undefined;
  /** Called with each chunk and its position in the archive, before the sink takes it. */
  readonly observe?: ObserveChunk | undefined;
}

const BEGINNING: ArchivePosition = { loaded: 0, total: undefined, etag: undefined };

/**
 * Moves an archive into a sink with the sink's backpressure, and closes the sink. Where the connection
 * is lost, stalls or ends early, the transfer resumes from the byte that it reached, as long as it
 * makes progress. Where the server cannot resume, the transfer restarts if the sink can.
 *
 * The archive is complete when its length is reached, or, where no length is certain, when the ends of
 * its gzip and its tar are reached.
 *
 * @param sink The sink, locked by `lockSink$`. To make the transfer wait for its turn, pass the
 * Observable through a limit such as `Transport.limitTransfers`: the sink stays locked while it waits.
 * @returns Emits `loaded` when the archive is open and after each chunk, `preparing` while the server
 * builds the archive, `restart` when the sink has dropped all bytes; completes once the sink is
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
    let state: TransferState = { position, isDamaged: false };
    let maxLoaded = position.loaded;
    let progressAt: number | undefined;

    const canContinue = () => {
      const { position, isDamaged } = state;
      return sink.restart !== undefined ||
        !isDamaged && (position.loaded === 0 || position.etag !== undefined);
    };
    /** How much longer to retry opening the archive; `undefined` before the first byte. */
    const interruptionLeftMs = () =>
      progressAt === undefined
        ? undefined
        : Math.max(0, progressAt + retryOptions.maxInterruptionMs - asyncScheduler.now());
    /**
     * Bytes that a restart dropped do not count again, so that the retries end if each attempt is cut.
     */
    const isProgress = (update: TransferUpdate): boolean => {
      if (update.type !== "loaded" || update.loaded <= maxLoaded) return false;
      maxLoaded = update.loaded;
      progressAt = asyncScheduler.now();
      return true;
    };

    const attempt$ = new Observable<TransferUpdate>((subscriber) =>
      openArchive$(
        transport,
        checkpoint,
        state.isDamaged ? BEGINNING : state.position,
        {
          limitMs: settings.prepareTimeoutMs,
          onWait: (retryInMs) => subscriber.next({ type: "preparing", retryInMs }),
        },
        interruptionLeftMs(),
      ).pipe(
        catchError((error) => throwError(() => toDownloadError(error, state.position))),
        switchMap((source) => pump.pump$(source, state)),
      ).subscribe(subscriber)
    );

    return attempt$.pipe(
      tap({
        next: (update) => {
          if (update.type === "preparing") return;
          const position = update.type === "loaded" ? update : BEGINNING;
          state = { position, isDamaged: false };
        },
        error: (error) => {
          if (error instanceof Interruption && error.isDamaged) {
            state = { ...state, isDamaged: true };
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
