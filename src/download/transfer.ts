import { asyncScheduler, Observable } from "rxjs";
import { DownloadInterruptedError } from "../errors.ts";
import { redactedCause } from "../transport/redact.ts";
import type { ArchiveSource } from "./archive_source.ts";

/**
 * Moves the bytes of an archive into a sink, no faster than the sink takes them, and closes it.
 * Emits how many bytes the sink has been given so far, 0 at first and then after each chunk;
 * completes once the sink is closed. Unsubscribing gives up the rest of the bytes; what becomes of the sink then, or after an
 * error, is the caller's to say.
 *
 * @param source The bytes and how many there should be.
 * @param sink Where they go.
 * @param idleTimeoutMs How long the source may give nothing, in milliseconds.
 * @throws {DownloadInterruptedError} if the bytes break off, stall, or are not as many as announced.
 */
export function transfer$(
  { body, total, redact }: ArchiveSource,
  sink: WritableStreamDefaultWriter<Uint8Array>,
  idleTimeoutMs: number,
): Observable<number> {
  return new Observable((subscriber) => {
    const reader = body.getReader();
    let loaded = 0;
    const interrupted = (problem: string, options?: ErrorOptions) =>
      new DownloadInterruptedError(problem, loaded, total, options);
    const watch = stallWatch(idleTimeoutMs, () => {
      subscriber.error(interrupted(`no byte came for ${idleTimeoutMs} ms`));
    });
    const nextChunk = async (): Promise<Uint8Array | undefined> => {
      watch.begin();
      try {
        return (await reader.read()).value;
      } catch (error) {
        const cause = redactedCause(error, redact);
        throw interrupted(
          `the connection broke: ${cause instanceof Error ? cause.message : cause}`,
          { cause },
        );
      } finally {
        watch.end();
      }
    };
    const pump = async () => {
      subscriber.next(loaded);
      while (true) {
        await sink.ready;
        const chunk = await nextChunk();
        // A reader that was cancelled says "done" too, and must not pass for the end.
        if (subscriber.closed) return;
        if (chunk === undefined) break;
        if (total !== undefined && loaded + chunk.byteLength > total) {
          throw interrupted("the server sent more than it announced");
        }
        loaded += chunk.byteLength;
        // A write that fails shows in `ready` or `close`.
        sink.write(chunk).catch(() => {});
        subscriber.next(loaded);
      }
      if (loaded === 0 || loaded < (total ?? 0)) throw interrupted("the server sent no more");
      await sink.close();
    };
    pump().then(() => subscriber.complete(), (error) => subscriber.error(error));
    return () => {
      watch.stop();
      reader.cancel().catch(() => {});
    };
  });
}

/** Tells waits that are too long, with one timer for all of them. */
interface StallWatch {
  /** A wait begins. */
  begin(): void;
  /** It ends. */
  end(): void;
  /** No more waits come. */
  stop(): void;
}

function stallWatch(limitMs: number, onStall: () => void): StallWatch {
  let waitingSince: number | undefined;
  const timer = asyncScheduler.schedule(function () {
    const waitedMs = waitingSince === undefined ? 0 : asyncScheduler.now() - waitingSince;
    if (waitedMs >= limitMs) onStall();
    else this.schedule(undefined, limitMs - waitedMs);
  }, limitMs);
  return {
    begin: () => waitingSince = asyncScheduler.now(),
    end: () => waitingSince = undefined,
    stop: () => timer.unsubscribe(),
  };
}
