import { catchError, defer, finalize, Observable, switchMap } from "rxjs";
import { requireOptions, show } from "../arguments.ts";
import { checkpointIds } from "../checkpoint_path.ts";
import { transportOf } from "../transport/client_transport.ts";
import { transferSettings } from "../download/transfer_settings.ts";
import type {
  ArchiveFormat,
  DownloadPreparingEvent,
  DownloadProgressEvent,
  DownloadRestartEvent,
  TransferOptions,
} from "../download/download_event.ts";
import { lockSink$ } from "../download/lock_sink.ts";
import { toDownloadEvents } from "../download/progress.ts";
import { transfer$ } from "../download/transfer.ts";
import { InvalidArgumentError } from "../errors.ts";
import type { RestClient } from "../rest_client.ts";
import type { CheckpointRef } from "../types.ts";
import { openSavedFile, type SavedFile } from "./saved_file.ts";

/** How to save an archive. */
export interface SaveOptions extends TransferOptions {
  /** Whether a file that is at the path is replaced, once the new one is whole. Default `false`. */
  readonly overwrite?: boolean | undefined;
  /** Whether the file's SHA-256 is worked out on the way. Default `true`. */
  readonly sha256?: boolean | undefined;
  /**
   * Whether the archive is read through, gzip's checksum and the tar's headers, before the file gets
   * its name. Default `false`.
   */
  readonly verify?: boolean | undefined;
}

/** The file is complete, has its name, and outlives a power failure. */
export interface SaveCompleteEvent {
  /** Distinguishes the events. */
  readonly type: "complete";
  /** How many bytes the archive has as it was transferred, as in the events before. */
  readonly loaded: number;
  /** Where the file is, as `saveArchive$` was given it. */
  readonly path: string;
  /** How many bytes the file has; not `loaded` where the archive was converted. */
  readonly size: number;
  /** What the file is. */
  readonly format: ArchiveFormat;
  /** The SHA-256 of the file in lower-case hex; `undefined` where the option is off. */
  readonly sha256: string | undefined;
}

/** What saving emits: progress, then once that the file is there. */
export type SaveEvent =
  | DownloadPreparingEvent
  | DownloadProgressEvent
  | DownloadRestartEvent
  | SaveCompleteEvent;

/**
 * Saves a checkpoint's archive as a file, which has its name only once it is complete. After an
 * interruption or a crash, saving to the same path again, from any process, resumes where the server
 * still has the same archive; after a crash without what was not yet synced to the disk, at most what
 * arrived in the last second or the last 64 MiB.
 *
 * What is left on disk is in one hidden directory beside the file, `.hpcai-rx`, which only its owner can
 * read: parts of archives, and for each file a record by which a later save of the same checkpoint finds
 * the file complete and fetches nothing. It holds no key and no URL. It may be removed while nothing is
 * saved. A server without a strong `ETag` (RFC 9110, section 8.8.3) leaves nothing in it, and saving
 * restarts. Where another user owns `.hpcai-rx`, it is `.hpcai-rx-<uid>`.
 *
 * The file is what its name says: a `.tar.gz` or `.tgz` is compressed where the server's
 * `Content-Encoding` made a bare tar of it on the way, a `.tar` decompressed. Under other names it is
 * what arrived. The file's permissions are those of any new file; only a file is ever replaced.
 *
 * Only one can save to a path at a time. A process that was killed keeps the next one waiting for 3
 * seconds. One that was suspended for longer may lose the path to another; it fails then, and leaves
 * alone what the other one made.
 *
 * Runs on Deno, Node and Bun. In Deno it needs the permissions to read and to write the directory.
 *
 * @param client Whom to ask.
 * @param checkpoint Which checkpoint: its path, what a listing says of it, or its ids.
 * @param path Where to save, for example `checkpoints/final.tar.gz`. Its directory is made if it does not exist.
 * @param options How to save.
 * @returns Emits progress like `download$`, from the byte that it resumes from; at the end
 * `complete`, and completes. Unsubscribing stops at once and keeps what arrived; the next save of this
 * process to `path` waits until that is on the disk. Fails like `download$`; before any request, with a
 * {@linkcode PathExistsError} if there is a file at `path` that is not known to be this archive and is
 * not to be overwritten, with an {@linkcode InvalidArgumentError} if what is there is no file, also if
 * it is a link to one; with an {@linkcode InvalidArchiveError} if `verify` finds the archive damaged;
 * with an {@linkcode HpcaiError} if another process saves to `path`, the state directory cannot be
 * trusted, or the file system fails or is full. What was at `path` is then untouched.
 *
 * @example
 * ```ts
 * import { RestClient } from "@hpcai/rx";
 * import { saveArchive$ } from "@hpcai/rx/fs";
 * import { mkdtemp } from "node:fs/promises";
 * import { tmpdir } from "node:os";
 *
 * const client = new RestClient(); // the key is read from HPCAI_API_KEY
 * const checkpoint = "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/final";
 * const directory = await mkdtemp(`${tmpdir()}/`);
 *
 * await saveArchive$(client, checkpoint, `${directory}/final.tar.gz`).forEach((event) => {
 *   if (event.type === "complete") console.log(event.path, event.sha256);
 *   else console.log(`${event.loaded} of ${event.total ?? "?"} bytes`);
 * });
 * ```
 */
export function saveArchive$(
  client: RestClient,
  checkpoint: CheckpointRef,
  path: string,
  options: SaveOptions = {},
): Observable<SaveEvent> {
  return defer(() => {
    requireOptions("options", options);
    const ids = checkpointIds(checkpoint);
    const transport = transportOf(client);
    const settings = transferSettings(options);
    requireFilePath(path);
    const { overwrite = false, sha256 = true, verify = false } = options;
    const fileOptions = { overwrite, sha256, verify };
    const saved$ = opened$((signal) => openSavedFile(path, ids, fileOptions, signal)).pipe(
      switchMap((file) =>
        lockSink$(
          file.sink,
          (sink) => transfer$(transport, ids, sink, { ...settings, position: file.position }),
        ).pipe(
          // The failure comes once the files are as they will stay.
          catchError(async (error) => {
            await file.release(error);
            throw error;
          }),
          toDownloadEvents<SaveCompleteEvent>(settings.progressIntervalMs, ({ loaded }) => ({
            type: "complete",
            loaded,
            path,
            ...file.facts(),
          })),
          finalize(() => file.release()),
        )
      ),
    );
    // Files are opened only for those whose turn it is.
    return transport.limitTransfers(saved$);
  });
}

/** Opens a file, and releases it where it opens only after the unsubscription. */
function opened$(open: (signal: AbortSignal) => Promise<SavedFile>): Observable<SavedFile> {
  return new Observable((subscriber) => {
    const aborting = new AbortController();
    open(aborting.signal).then((file) => {
      if (subscriber.closed) return file.release();
      subscriber.next(file);
      subscriber.complete();
    }, (error) => subscriber.error(error));
    return () => aborting.abort();
  });
}

/** Throws unless `path` can be that of a file. */
export function requireFilePath(path: unknown): void {
  if (typeof path === "string" && /[^/\\]$/.test(path)) return;
  throw new InvalidArgumentError("path", `must be the path of a file, got ${show(path)}`);
}
