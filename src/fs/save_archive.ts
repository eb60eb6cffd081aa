import { catchError, defer, finalize, Observable, switchMap, tap } from "rxjs";
import { requireOptions, show } from "../arguments.ts";
import { checkpointIds } from "../checkpoint_path.ts";
import { transportOf } from "../client_transport.ts";
import { transferSettings } from "../download/transfer_settings.ts";
import type {
  DownloadPreparingEvent,
  DownloadProgressEvent,
  DownloadRestartEvent,
  TransferSettings,
} from "../download/download_event.ts";
import { toDownloadEvents } from "../download/progress.ts";
import { transfer$ } from "../download/transfer.ts";
import { InvalidArgumentError } from "../errors.ts";
import type { RestClient } from "../rest_client.ts";
import type { CheckpointRef } from "../types.ts";
import { openSavedFile, type SavedFile } from "./saved_file.ts";

/** How to save an archive. */
export interface SaveOptions extends TransferSettings {
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

/** The file is whole, has its name, and outlives a power failure. */
export interface SaveCompleteEvent {
  /** Tells the events apart. */
  readonly type: "complete";
  /** How many bytes the file has. */
  readonly loaded: number;
  /** Where it is, as `saveArchive$` was told. */
  readonly path: string;
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
 * How long a saver that was killed keeps others from its path, in milliseconds. Longer than a disk
 * that is busy may keep a living one from saying so.
 */
const LEASE_MS = 3_000;

/**
 * Saves a checkpoint's archive as a file, which has its name only once it is whole. Nothing is lost
 * when the process is interrupted or killed: the bytes go to `<path>.part`, and saving to the same
 * path again, from any process, goes on after them where the server still has the same archive.
 *
 * Beside the file are, meanwhile, `<path>.part`, `<path>.part.json`, which says what archive it is
 * the beginning of, and `<path>.part.lock`; and afterwards `<path>.etag.json`, by which a later save
 * sees that the file is that archive still, and fetches nothing. It may be removed. None of them holds
 * a key or a URL. A server without a strong `ETag` (RFC 9110, section 8.8.3) leaves neither `.json`,
 * and saving starts over.
 *
 * Only one can save to a path at a time. The lock of a process that was killed holds the next one up
 * for 3 seconds.
 *
 * Runs on Deno, Node and Bun. In Deno it takes the permissions to read and to write the directory.
 *
 * @param client Whom to ask.
 * @param checkpoint Which checkpoint: its path, what a listing says of it, or its ids.
 * @param path Where to save, for example `checkpoints/final.tar.gz`. Its directory is made.
 * @param options How to save.
 * @returns Emits progress like `download$`, from the byte on that is there already; at the end
 * `complete`, and completes. Unsubscribing stops at once and keeps the part. Fails like `download$`;
 * with an {@linkcode InvalidArgumentError} before anything is asked for if `path` is a directory, or
 * a file that is not known to be this archive and is not to be overwritten; with an
 * {@linkcode InvalidArchiveError} if `verify` finds the archive damaged; with an
 * {@linkcode HpcaiError} if another process saves to `path`, or the file system refuses or is full.
 * What was there under `path` is then untouched.
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
  return saveWithin$(LEASE_MS, client, checkpoint, path, options);
}

/** {@linkcode saveArchive$}, with another time to wait for those that were killed. */
export function saveWithin$(
  leaseMs: number,
  client: RestClient,
  checkpoint: CheckpointRef,
  path: string,
  options: SaveOptions,
): Observable<SaveEvent> {
  return defer(() => {
    requireOptions("options", options);
    const ids = checkpointIds(checkpoint);
    const transport = transportOf(client);
    const { progressIntervalMs, ...transferOptions } = transferSettings(options);
    requireFilePath(path);
    const { overwrite = false, sha256 = true, verify = false } = options;
    const fileOptions = { overwrite, sha256, verify, leaseMs };
    const saved$ = opened$((signal) => openSavedFile(path, ids, fileOptions, signal)).pipe(
      switchMap((file) =>
        transfer$(transport, ids, file.sink, {
          ...transferOptions,
          position: file.position,
          isLimited: true,
        }).pipe(
          tap((event) => {
            if (event.type === "loaded") file.identify(event);
          }),
          // The failure comes once the files are as they will stay.
          catchError(async (error) => {
            await file.release();
            throw error;
          }),
          toDownloadEvents<SaveCompleteEvent>(progressIntervalMs, ({ loaded }) => ({
            type: "complete",
            loaded,
            path,
            sha256: file.sha256(),
          })),
          finalize(() => file.release()),
        )
      ),
    );
    // Files are opened only for those whose turn it is.
    return transport.limitTransfers(saved$);
  });
}

/** Opens a file, and releases it where it is there only after nobody wants it any more. */
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
  throw new InvalidArgumentError("path", `must be the path of a file, but is ${show(path)}`);
}
