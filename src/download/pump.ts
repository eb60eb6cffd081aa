import { Observable } from "rxjs";
import {
  DownloadInterruptedError,
  HpcaiError,
  InvalidArchiveError,
  LimitExceededError,
  TransferTooSlowError,
} from "../errors.ts";
import { deepestReason } from "../transport/connection_error.ts";
import { redactedCause } from "../transport/redact.ts";
import { archiveFollower } from "./archive_follower.ts";
import type { ArchivePosition, ArchiveSource } from "./archive_source.ts";
import type { DownloadRestartReason } from "./download_event.ts";
import { Interruption, SinkError } from "./interruption.ts";
import type { LockedSink } from "./lock_sink.ts";
import { sinkWriter } from "./sink_writer.ts";
import type { TransferSettings } from "./transfer_settings.ts";
import { timedReader } from "./timed_reader.ts";

/** The sink has taken the first `loaded` bytes of the archive. */
export interface TransferLoaded extends ArchivePosition {
  readonly type: "loaded";
  /** How many bytes the archive has according to the server, certain or not. */
  readonly serverTotal: number | undefined;
}

/** The sink has dropped all bytes. */
export interface TransferRestart {
  readonly type: "restart";
  readonly reason: DownloadRestartReason;
}

/** The state of a transfer between two sources. */
export interface TransferState {
  /** The bytes that the sink has. */
  readonly position: ArchivePosition;
  /** Whether these bytes are invalid, so that the sink has to drop them. */
  readonly isDamaged: boolean;
}

/** Called with each chunk and its position in the archive, before the sink takes it. */
export type ObserveChunk = (chunk: Uint8Array, offset: number) => void;

/** Moves the bytes of one source after the other into a sink. */
export interface Pump {
  /**
   * Moves the bytes of a source. Emits `restart` if the sink had to drop its bytes, `loaded` at the
   * beginning and after each chunk. Completes once the archive is complete and the sink is closed; fails
   * with an {@linkcode Interruption} where another source may send the rest.
   */
  pump$(source: ArchiveSource, state: TransferState): Observable<TransferLoaded | TransferRestart>;
  /** Releases the resources that are kept between sources. */
  release(): void;
}

/** Makes a pump. */
export function pumpInto(
  sink: LockedSink,
  settings: TransferSettings,
  observe: ObserveChunk = () => {},
): Pump {
  const { maxBytes, minBytesPerSecond, idleTimeoutMs } = settings;
  const follower = archiveFollower();
  const writer = sinkWriter(sink);
  /** Where the last complete response ended, before the end of the archive. */
  let endedAt: number | undefined;

  const requireWithinLimit = (bytes: number): void => {
    if (bytes <= maxBytes) return;
    throw new LimitExceededError("maxBytes", maxBytes, "The archive");
  };

  const pump$ = (source: ArchiveSource, state: TransferState) =>
    new Observable<TransferLoaded | TransferRestart>((subscriber) => {
      const { loaded: start, end = Infinity, total, serverTotal, etag, redact } = source;
      /** How many bytes of the archive have been read from sources. */
      let sourceLoaded = start;
      /** How many bytes of the archive the sink has: more than that where the source repeats bytes. */
      let sinkLoaded = start;
      /** The first byte of the source that the follower takes. */
      let followedFrom = Infinity;

      const interruption = (
        problem: string,
        options?: ErrorOptions & { readonly isDamaged?: boolean },
      ) => new Interruption(problem, sinkLoaded, total, options);
      // An error of another class can only be the sink's.
      const fail = (error: unknown) =>
        subscriber.error(error instanceof HpcaiError ? error : new SinkError(error));
      const reader = timedReader(source.body, sink.chunks, settings, () => {
        subscriber.error(interruption(`no data received for ${idleTimeoutMs} ms`));
      });
      const emitLoaded = () =>
        subscriber.next({
          type: "loaded",
          loaded: sinkLoaded,
          total,
          etag,
          serverTotal: (serverTotal ?? 0) < sinkLoaded ? undefined : serverTotal,
        });

      /** Makes the sink contain the first bytes of this archive, or none. */
      const alignSink = async (): Promise<void> => {
        const reason = restartReason(state, source);
        if (reason === undefined) {
          sinkLoaded = state.position.loaded;
        } else {
          if (writer.restart === undefined) {
            const { loaded, total } = state.position;
            const reason =
              "the server cannot resume the same archive, and the stream cannot be rewound";
            throw new DownloadInterruptedError(reason, loaded, total, {
              advice: "Save to a file with saveArchive$ instead.",
            });
          }
          await writer.restart();
          subscriber.next({ type: "restart", reason });
        }
        await writer.begin(source);
      };

      /** Follows the archive to its end where the length is uncertain. */
      const beginFollowing = async (): Promise<void> => {
        if (total !== undefined) return follower.drop();
        if (await follower.begin(sinkLoaded, sink.readBack)) followedFrom = sinkLoaded;
        else if (start === 0 && await follower.begin(0, undefined)) followedFrom = 0;
      };

      /** Reports an invalid archive as damage, where a restart may repair it. */
      const reportDamage = async <T>(run: () => Promise<T>): Promise<T> => {
        try {
          return await run();
        } catch (error) {
          const isOfOneSource = followedFrom === 0 && start === 0 && sinkLoaded <= sourceLoaded;
          if (isOfOneSource || !(error instanceof InvalidArchiveError)) throw error;
          throw interruption(error.problem, { isDamaged: true, cause: error });
        }
      };

      const readChunk = async () => {
        try {
          return await reader.read();
        } catch (error) {
          const cause = redactedCause(error, redact);
          throw interruption(`the connection was lost: ${deepestReason(cause)}`, { cause });
        }
      };

      /** Writes the bytes of a chunk that the sink does not have. */
      const takeChunk = async (chunk: Uint8Array): Promise<void> => {
        const offset = sourceLoaded;
        const missingBytes = bytesFrom(chunk, sinkLoaded - offset);
        sourceLoaded += chunk.byteLength;
        if (total !== undefined && sourceLoaded > total) {
          const problem = "the server sent more bytes than the archive has";
          throw new DownloadInterruptedError(problem, sourceLoaded, total);
        }
        sinkLoaded = Math.max(sinkLoaded, sourceLoaded);
        requireWithinLimit(sinkLoaded);
        if (followedFrom < sourceLoaded) {
          await reportDamage(() => follower.write(bytesFrom(chunk, followedFrom - offset)));
        }
        if (missingBytes.byteLength === 0) return;
        observe(missingBytes, sourceLoaded - missingBytes.byteLength);
        writer.write(missingBytes).catch(fail);
        emitLoaded();
      };

      /** Takes chunks until the source ends. Resolves to false after an unsubscription. */
      const takeAll = async (): Promise<boolean> => {
        while (sourceLoaded < end) {
          await writer.ready();
          const chunk = await readChunk();
          // A cancelled reader reports an end too.
          if (subscriber.closed) return false;
          if (chunk === undefined) break;
          // Bytes after the range do not belong to this archive.
          await takeChunk(bytesUpTo(chunk.bytes, end - sourceLoaded));
          if (chunk.slowRate !== undefined) {
            throw new TransferTooSlowError(chunk.slowRate, minBytesPerSecond, sinkLoaded, total);
          }
        }
        return true;
      };

      /** Throws unless the archive is complete. */
      const requireComplete = async (): Promise<void> => {
        const length = total ?? (start > 0 ? serverTotal : undefined) ?? 0;
        if (sinkLoaded > sourceLoaded || sourceLoaded < length || sourceLoaded === 0) {
          throw interruption("the server sent no more data");
        }
        if (followedFrom === Infinity || await reportDamage(() => follower.close())) return;
        if (start === 0) {
          // A second response that ends at the same byte: the archive itself is incomplete.
          if (endedAt === sourceLoaded) {
            throw new InvalidArchiveError(
              `it is incomplete, with ${sourceLoaded} bytes`,
            );
          }
          endedAt = sourceLoaded;
        }
        // A rest of the right length that does not complete the archive belongs to another one.
        throw interruption("the archive ends early", { isDamaged: start > 0 });
      };

      const run = async (): Promise<void> => {
        requireWithinLimit(total ?? 0);
        await alignSink();
        emitLoaded();
        await reportDamage(beginFollowing);
        if (!await takeAll()) return;
        await requireComplete();
        await writer.close();
      };

      // A sink can fail while no bytes arrive.
      sink.writer.closed.catch(fail);
      run().then(() => subscriber.complete(), fail);
      return () => {
        reader.stop();
        source.abort();
      };
    });

  return { pump$, release: follower.drop };
}

function bytesFrom(chunk: Uint8Array, start: number): Uint8Array {
  return start <= 0 ? chunk : chunk.subarray(start);
}

function bytesUpTo(chunk: Uint8Array, end: number): Uint8Array {
  return end >= chunk.byteLength ? chunk : chunk.subarray(0, end);
}

/** Why the sink has to drop its bytes before it takes a source, or `undefined` where it need not. */
function restartReason(
  { position, isDamaged }: TransferState,
  { loaded: start, etag, total }: ArchivePosition,
): DownloadRestartReason | undefined {
  if (isDamaged) return "archive-damaged";
  if (start === position.loaded) return undefined;
  if (position.etag === undefined) return "not-resumable";
  const isSame = etag === position.etag && (total ?? position.total) === (position.total ?? total);
  return isSame ? undefined : "archive-changed";
}
