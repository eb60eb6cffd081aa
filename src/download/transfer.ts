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
import {
  ApiConnectionError,
  DownloadInterruptedError,
  HpcaiError,
  InvalidArchiveError,
  LimitExceededError,
  TransferTooSlowError,
} from "../errors.ts";
import { deepestReason } from "../transport/exchange.ts";
import { redactedCause } from "../transport/redact.ts";
import { retryTransient } from "../transport/retry.ts";
import type { Transport } from "../transport/transport.ts";
import type { CheckpointIds } from "../types.ts";
import { type ArchiveFollower, archiveFollower } from "./archive_follower.ts";
import type { ArchiveSink } from "./archive_sink.ts";
import { type ArchivePosition, type ArchiveSource, openArchive$ } from "./archive_source.ts";
import { chunkReader } from "./chunk_reader.ts";
import type { DownloadRestartReason } from "./download_event.ts";
import { rateFloor } from "./rate_floor.ts";
import { stallWatch } from "./stall_watch.ts";
import { downloadCancelled, type TransferOptions } from "./transfer_options.ts";

/** The archive is not ready; the server is asked again. */
export interface TransferPreparing {
  readonly type: "preparing";
  /** How many milliseconds until the next request. */
  readonly retryInMs: number;
}

/** The sink has been given so many bytes of that archive. */
export interface TransferLoaded extends ArchivePosition {
  readonly type: "loaded";
  /** How many bytes the archive has by what the server says, be it certain or not. */
  readonly announcedTotal: number | undefined;
}

/** The sink has dropped what it was given. */
export interface TransferRestart {
  readonly type: "restart";
  readonly reason: DownloadRestartReason;
}

/** What happens in a transfer. */
export type TransferEvent = TransferPreparing | TransferLoaded | TransferRestart;

/** What a transfer knows of what came before its next source. */
interface Progress {
  /** What the sink has been given. */
  readonly reached: ArchivePosition;
  /** Whether that is known to be wrong, so that the sink has to drop it. */
  readonly isDamaged: boolean;
}

const BEGINNING: ArchivePosition = { loaded: 0, total: undefined, etag: undefined };

/**
 * Moves an archive into a sink with the sink's backpressure, and closes the sink. Where the connection
 * is lost, stalls or ends early, the transfer resumes from the byte that it reached, as long as it
 * makes progress; where the server cannot do that, it restarts if the sink can. The sink is locked at
 * once, the transfer begins when it is its turn.
 *
 * The archive is complete when its length is certain and met; else when its own end was seen, that of
 * its gzip and of its tar.
 *
 * Emits `loaded` when the archive is open and after each chunk, `preparing` while the server builds the
 * archive, `restart` when the sink has dropped what it had; completes once the sink is closed.
 * Unsubscribing and errors abort the sink.
 *
 * @throws {DownloadInterruptedError} if the transfer is interrupted and cannot be resumed.
 * @throws {InvalidArchiveError} if the length is not certain, and the bytes are neither gzip nor tar.
 */
export function transfer$(
  transport: Transport,
  checkpoint: CheckpointIds,
  sink: ArchiveSink,
  options: TransferOptions,
): Observable<TransferEvent> {
  return defer(() => {
    const { prepareTimeoutMs, position = BEGINNING, isLimited = false } = options;
    const retryOptions = transport.retryOptions();
    const writer = sink.writable.getWriter();
    const abort = (reason: unknown) => writer.abort(reason).catch(() => {});
    const follower = archiveFollower();
    const pump = pumpInto(sink, writer, follower, options);
    let progress: Progress = { reached: position, isDamaged: false };
    let furthest = position.loaded;
    let progressAt: number | undefined;
    const canContinue = () => {
      const { reached, isDamaged } = progress;
      return sink.restart !== undefined ||
        !isDamaged && (reached.loaded === 0 || reached.etag !== undefined);
    };
    /** How long the archive may still take to be open again; `undefined` while no byte has come. */
    const interruptionLeftMs = () =>
      progressAt === undefined
        ? undefined
        : Math.max(0, progressAt + retryOptions.maxInterruptionMs - asyncScheduler.now());
    const transfer$ = new Observable<TransferEvent>((subscriber) =>
      defer(() => {
        const { reached, isDamaged } = progress;
        return openArchive$(
          transport,
          checkpoint,
          isDamaged ? BEGINNING : reached,
          {
            limitMs: prepareTimeoutMs,
            onWait: (retryInMs) => subscriber.next({ type: "preparing", retryInMs }),
          },
          interruptionLeftMs(),
        );
      }).pipe(
        catchError((error) => throwError(() => notResumed(error, progress.reached))),
        switchMap((source) => pump(source, progress)),
        tap({
          next: (event) => {
            const reached = event.type === "loaded" ? event : BEGINNING;
            progress = { reached, isDamaged: false };
          },
          error: (error) => {
            if (error instanceof Interruption && error.isDamaged) {
              progress = { ...progress, isDamaged: true };
            }
          },
        }),
        retryTransient(retryOptions, {
          isRetried: (error) => error instanceof Interruption && canContinue(),
          retryForMs: () =>
            progressAt === undefined ? retryOptions.maxElapsedMs : retryOptions.maxInterruptionMs,
          // What restarts again and again must not count as progress.
          isProgress: (event) => {
            if (event.type !== "loaded" || event.loaded <= furthest) return false;
            furthest = event.loaded;
            progressAt = asyncScheduler.now();
            return true;
          },
        }),
      ).subscribe(subscriber)
    );
    return (isLimited ? transfer$ : transport.limitTransfers(transfer$)).pipe(
      tap({
        error: abort,
        unsubscribe: () => abort(downloadCancelled()),
      }),
      finalize(() => {
        follower.drop();
        writer.releaseLock();
      }),
    );
  });
}

/** Where the server cannot be reached any more, the download that had begun is what failed. */
function notResumed(error: unknown, { loaded, total }: ArchivePosition): unknown {
  if (loaded === 0 || !(error instanceof ApiConnectionError)) return error;
  return new DownloadInterruptedError(error.problem, loaded, total, { cause: error });
}

/** An interruption that another attempt may mend. */
class Interruption extends DownloadInterruptedError {
  /** Whether what was received is no beginning of a right archive. */
  readonly isDamaged: boolean;

  constructor(
    problem: string,
    loaded: number,
    total: number | undefined,
    { isDamaged = false, ...options }: ErrorOptions & { readonly isDamaged?: boolean } = {},
  ) {
    super(problem, loaded, total, options);
    this.isDamaged = isDamaged;
  }
}

/** The sink failed; the cause is its own error. */
export class SinkError extends HpcaiError {
  constructor(cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`Cannot write the archive to the stream: ${reason}`, { cause });
  }
}

/** Makes a function that moves the bytes of one source after the other into a sink. */
function pumpInto(
  sink: ArchiveSink,
  writer: WritableStreamDefaultWriter<Uint8Array>,
  follower: ArchiveFollower,
  { idleTimeoutMs, minBytesPerSecond, maxBytes, observe }: TransferOptions,
): (source: ArchiveSource, progress: Progress) => Observable<TransferLoaded | TransferRestart> {
  let lastWrite: Promise<void> = Promise.resolve();
  /** Where a whole response ended before the archive did. */
  let endedAt: number | undefined;

  return (source, { reached, isDamaged }) =>
    new Observable((subscriber) => {
      const { body, loaded: start, end, total, announcedTotal, etag, redact } = source;
      const reader = body && chunkReader(body, sink.chunks);
      let loaded = start;
      /** How many of the next bytes the sink has already. */
      let known = 0;
      /** Which of its own bytes the source gives to the follower, the first one's number. */
      let followedFrom = Infinity;
      const interruption = (
        problem: string,
        options?: ErrorOptions & { readonly isDamaged?: boolean },
      ) => new Interruption(problem, loaded + known, total, options);
      const watch = stallWatch(idleTimeoutMs, () => {
        subscriber.error(interruption(`no data received for ${idleTimeoutMs} ms`));
      });
      const rate = rateFloor(minBytesPerSecond, idleTimeoutMs);
      // What is no error of this package's own can only be the sink's.
      const fail = (error: unknown) =>
        subscriber.error(error instanceof HpcaiError ? error : new SinkError(error));
      const emit = () => {
        const sunk = loaded + known;
        subscriber.next({
          type: "loaded",
          loaded: sunk,
          total,
          etag,
          announcedTotal: (announcedTotal ?? 0) < sunk ? undefined : announcedTotal,
        });
      };

      /** Makes the sink hold the source's first bytes, or nothing; gives how many of them. */
      const alignSink = async (): Promise<number> => {
        if (!isDamaged) {
          if (start === reached.loaded) return 0;
          const isSame = etag !== undefined && etag === reached.etag &&
            (total ?? reached.total) === (reached.total ?? total);
          if (isSame) return reached.loaded - start;
        }
        if (sink.restart === undefined) {
          throw new DownloadInterruptedError(
            "the server cannot resume the same archive, and what was written cannot be taken back",
            reached.loaded,
            reached.total,
          );
        }
        await lastWrite;
        await sink.restart();
        const reason = isDamaged
          ? "archive-damaged"
          : reached.etag === undefined
          ? "not-resumable"
          : "archive-changed";
        subscriber.next({ type: "restart", reason });
        return 0;
      };

      /** Where the length is not certain, follows the archive to its end. */
      const follow = async (): Promise<void> => {
        if (total !== undefined) return follower.drop();
        const sunk = start + known;
        if (await follower.begin(sunk, sink.received)) followedFrom = sunk;
        else if (start === 0 && await follower.begin(0, undefined)) followedFrom = 0;
      };

      /** Runs what the follower finds wrong as a damage that a restart may mend, where it may. */
      const followed = async <T>(run: () => Promise<T>): Promise<T> => {
        try {
          return await run();
        } catch (error) {
          const isOfOneSource = followedFrom === 0 && known === 0 && start === 0;
          if (isOfOneSource || !(error instanceof InvalidArchiveError)) throw error;
          throw interruption(error.problem, { isDamaged: true, cause: error });
        }
      };

      const requireWithinLimit = (bytes: number) => {
        if (bytes <= maxBytes) return;
        throw new LimitExceededError("maxBytes", maxBytes, "The archive");
      };

      const take = async (chunk: Uint8Array): Promise<void> => {
        const offset = loaded;
        loaded += chunk.byteLength;
        if (total !== undefined && loaded > total) {
          const problem = "the server sent more bytes than it announced";
          throw new DownloadInterruptedError(problem, loaded, total);
        }
        const unknown = known === 0 ? chunk : chunk.subarray(known);
        known = Math.max(0, known - chunk.byteLength);
        requireWithinLimit(loaded + known);
        if (followedFrom <= offset) await followed(() => follower.write(chunk));
        else if (followedFrom < loaded) await followed(() => follower.write(unknown));
        if (unknown.byteLength === 0) return;
        observe?.(unknown, loaded - unknown.byteLength);
        lastWrite = writer.write(unknown);
        lastWrite.catch(fail);
        emit();
      };

      /** Throws unless the source has brought the archive to its end. */
      const requireComplete = async (): Promise<void> => {
        const length = total ?? (start > 0 ? announcedTotal : undefined) ?? 0;
        if (known > 0 || loaded < length || loaded === 0) {
          throw interruption("the server sent no more data");
        }
        if (followedFrom === Infinity || await followed(() => follower.hasEnded())) return;
        if (start === 0) {
          // A connection is not lost at the same byte twice: it is the archive that has no end.
          if (endedAt === loaded) {
            throw new InvalidArchiveError(`it ends after ${loaded} bytes, before its own end`);
          }
          endedAt = loaded;
        }
        // A rest that reaches the announced length, and yet not the end of the archive, is not its rest.
        throw interruption("the archive ends early", { isDamaged: start > 0 });
      };

      const pump = async () => {
        requireWithinLimit(total ?? 0);
        known = await alignSink();
        emit();
        await followed(follow);
        while (end === undefined || loaded < end) {
          await (sink.chunks === "borrowed" ? lastWrite : writer.ready);
          let next: ReadableStreamReadResult<Uint8Array> | undefined;
          watch.begin();
          rate.begin();
          try {
            next = await reader?.read();
          } catch (error) {
            const cause = redactedCause(error, redact);
            throw interruption(`the connection was lost: ${deepestReason(cause)}`, { cause });
          } finally {
            watch.end();
          }
          // A reader that was cancelled says "done" too, and must not pass for the end.
          if (subscriber.closed) return;
          if (next === undefined || next.done) break;
          const slowRate = rate.end(next.value.byteLength);
          // More than the range that was asked for is not of this archive.
          await take(end === undefined ? next.value : next.value.subarray(0, end - loaded));
          if (slowRate !== undefined) {
            throw new TransferTooSlowError(slowRate, minBytesPerSecond, loaded + known, total);
          }
        }
        await requireComplete();
        await writer.close();
      };

      // A sink can fail while the server is silent.
      writer.closed.catch(fail);
      pump().then(() => subscriber.complete(), fail);
      return () => {
        watch.stop();
        reader?.cancel().catch(() => {});
        source.abort();
      };
    });
}
