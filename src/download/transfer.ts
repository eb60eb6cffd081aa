import { catchError, defer, finalize, Observable, switchMap, tap, throwError } from "rxjs";
import { ApiConnectionError, DownloadInterruptedError } from "../errors.ts";
import { deepestReason } from "../transport/exchange.ts";
import { redactedCause } from "../transport/redact.ts";
import { retryTransient } from "../transport/retry.ts";
import type { Transport } from "../transport/transport.ts";
import type { CheckpointIds } from "../types.ts";
import type { ArchiveSink } from "./archive_sink.ts";
import { type ArchivePosition, type ArchiveSource, openArchive$ } from "./archive_source.ts";
import { chunkReader } from "./chunk_reader.ts";
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
}

/** What happens in a transfer. */
export type TransferEvent = TransferPreparing | TransferLoaded;

const BEGINNING: ArchivePosition = { loaded: 0, total: undefined, etag: undefined };

/**
 * Moves an archive into a sink, no faster than the sink takes it, and closes the sink. Where the bytes
 * break off, stall or end early, the transfer goes on from the byte that it reached, as often as it
 * takes while it gets on; where the server cannot do that, it starts over if the sink can. The sink is
 * locked at once, the transfer begins when it is its turn.
 *
 * Emits `loaded` when the archive is open and after each chunk, `preparing` while the server builds the
 * archive; completes once the sink is closed. Unsubscribing and errors abort the sink.
 *
 * @throws {DownloadInterruptedError} if the bytes break off and cannot be gone on with.
 */
export function transfer$(
  transport: Transport,
  checkpoint: CheckpointIds,
  sink: ArchiveSink,
  { idleTimeoutMs, prepareTimeoutMs, position = BEGINNING, isLimited = false }: TransferOptions,
): Observable<TransferEvent> {
  return defer(() => {
    const retryOptions = transport.retryOptions();
    const writer = sink.writable.getWriter();
    const abort = (reason: unknown) => writer.abort(reason).catch(() => {});
    const pump = pumpInto(sink, writer, idleTimeoutMs);
    let reached = position;
    let furthest = position.loaded;
    const canGoOn = () =>
      reached.loaded === 0 || reached.etag !== undefined || sink.restart !== undefined;
    const transfer$ = new Observable<TransferEvent>((subscriber) =>
      defer(() =>
        openArchive$(transport, checkpoint, reached, {
          limitMs: prepareTimeoutMs,
          onWait: (retryInMs) => subscriber.next({ type: "preparing", retryInMs }),
        })
      ).pipe(
        catchError((error) => throwError(() => notGoneOn(error, reached))),
        switchMap((source) => pump(source, reached)),
        tap((loaded) => reached = loaded),
        retryTransient(retryOptions, {
          isRetried: (error) => error instanceof BrokenOff && canGoOn(),
          // What starts over again and again must not count as getting on.
          isProgress: ({ loaded }) => {
            const isFurther = loaded > furthest;
            furthest = Math.max(furthest, loaded);
            return isFurther;
          },
        }),
      ).subscribe(subscriber)
    );
    return (isLimited ? transfer$ : transport.limitTransfers(transfer$)).pipe(
      tap({
        error: abort,
        unsubscribe: () => abort(downloadCancelled()),
      }),
      finalize(() => writer.releaseLock()),
    );
  });
}

/** Where the server cannot be reached any more, the download that had begun is what failed. */
function notGoneOn(error: unknown, { loaded, total }: ArchivePosition): unknown {
  if (loaded === 0 || !(error instanceof ApiConnectionError)) return error;
  return new DownloadInterruptedError(error.message, loaded, total, { cause: error });
}

/** An interruption that another attempt may mend. */
class BrokenOff extends DownloadInterruptedError {}

/** Makes a function that moves the bytes of one source after the other into a sink. */
function pumpInto(
  sink: ArchiveSink,
  writer: WritableStreamDefaultWriter<Uint8Array>,
  idleTimeoutMs: number,
): (source: ArchiveSource, reached: ArchivePosition) => Observable<TransferLoaded> {
  let lastWrite: Promise<void> = Promise.resolve();

  return ({ body, loaded: start, total, etag, isExact, redact }, reached) =>
    new Observable((subscriber) => {
      const reader = body && chunkReader(body, sink.chunks);
      let loaded = start;
      /** How many of the next bytes the sink has already. */
      let known = 0;
      const brokenOff = (problem: string, options?: ErrorOptions) =>
        new BrokenOff(problem, loaded + known, total, options);
      const watch = stallWatch(idleTimeoutMs, () => {
        subscriber.error(brokenOff(`no byte came for ${idleTimeoutMs} ms`));
      });
      const fail = (error: unknown) => subscriber.error(error);
      const emit = () => subscriber.next({ type: "loaded", loaded: loaded + known, total, etag });

      /** How many of the source's first bytes the sink has already. */
      const alignSink = async (): Promise<number> => {
        if (start === reached.loaded) return 0;
        if (etag !== undefined && etag === reached.etag) return reached.loaded - start;
        if (sink.restart === undefined) {
          throw new DownloadInterruptedError(
            "the server cannot go on from there with the same archive, and what was written cannot " +
              "be taken back",
            reached.loaded,
            reached.total,
          );
        }
        await lastWrite;
        await sink.restart();
        return 0;
      };

      const pump = async () => {
        known = await alignSink();
        emit();
        while (true) {
          await (sink.chunks === "borrowed" ? lastWrite : writer.ready);
          let next: ReadableStreamReadResult<Uint8Array> | undefined;
          watch.begin();
          try {
            next = await reader?.read();
          } catch (error) {
            const cause = redactedCause(error, redact);
            throw brokenOff(`the connection broke: ${deepestReason(cause)}`, { cause });
          } finally {
            watch.end();
          }
          // A reader that was cancelled says "done" too, and must not pass for the end.
          if (subscriber.closed) return;
          if (next === undefined || next.done) break;
          const chunk = next.value;
          loaded += chunk.byteLength;
          if (isExact && total !== undefined && loaded > total) {
            throw new DownloadInterruptedError(
              "the server sent more than it announced",
              loaded,
              total,
            );
          }
          const unknown = known === 0 ? chunk : chunk.subarray(known);
          known = Math.max(0, known - chunk.byteLength);
          if (unknown.byteLength === 0) continue;
          lastWrite = writer.write(unknown);
          lastWrite.catch(fail);
          emit();
        }
        // Even where nobody knows the length: fewer bytes than are there already are not all of them.
        if (loaded === 0 || known > 0 || isExact && loaded < (total ?? 0)) {
          throw brokenOff("the server sent no more");
        }
        await writer.close();
      };

      // A sink can fail while the server is silent.
      writer.closed.catch(fail);
      pump().then(() => subscriber.complete(), fail);
      return () => {
        watch.stop();
        reader?.cancel().catch(() => {});
      };
    });
}
