import { catchError, defer, finalize, Observable, switchMap } from "rxjs";
import { inspect, requireBoolean, requireOptions } from "../arguments.ts";
import { checkpointIds } from "../checkpoint_path.ts";
import { transportOf } from "../transport/client_transport.ts";
import { toTransferSettings, type TransferSettings } from "../download/transfer_settings.ts";
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
import type { Transport } from "../transport/transport.ts";
import type { CheckpointIds, CheckpointRef } from "../types.ts";
import type { SaveSettings } from "./commit_part.ts";
import { openSavedFile, type SavedFile } from "./saved_file.ts";

/** How to save an archive. */
export interface SaveOptions extends TransferOptions {
  /** Whether an existing file at the path is replaced, once the new one is complete. Default `false`. */
  readonly overwrite?: boolean | undefined;
  /** Whether the SHA-256 of the file is computed. Default `true`. */
  readonly sha256?: boolean | undefined;
  /**
   * Whether the archive is verified before the file gets its name: gzip's checksum and the tar's headers.
   * Default `false`.
   */
  readonly verify?: boolean | undefined;
}

/** The file is complete, has its name, and survives a power failure. */
export interface SaveCompleteEvent {
  /** Distinguishes the events. */
  readonly type: "complete";
  /** How many bytes of the archive were transferred, as in the events before. */
  readonly loaded: number;
  /** The path of the file, as passed. */
  readonly path: string;
  /** How many bytes the file has; differs from `loaded` where the archive was converted. */
  readonly size: number;
  /** The format of the file. */
  readonly format: ArchiveFormat;
  /** The SHA-256 of the file in lower-case hex; `undefined` where the option is off. */
  readonly sha256: string | undefined;
}

/** The events of saving: progress, then `complete` once. */
export type SaveEvent =
  | DownloadPreparingEvent
  | DownloadProgressEvent
  | DownloadRestartEvent
  | SaveCompleteEvent;

/**
 * Saves a checkpoint's archive as a file, which has its name only once it is complete.
 *
 * After an interruption or a crash, save to the same path again, from any process, to resume; that needs
 * a server that still has the same archive. After a crash, the bytes that were not yet synced to the disk
 * are transferred again: at most those of the last second or the last 64 MiB.
 *
 * The state of saves is in one hidden directory beside the file, `.hpcai-rx`, which only its owner can
 * read: parts of archives, and for each file a record by which a later save of the same checkpoint
 * recognizes the file and transfers nothing. It contains no key and no URL. It may be removed while no save
 * is in progress. Without a strong `ETag` (RFC 9110, section 8.8.3) an interrupted save leaves nothing in
 * it, and the next one restarts. Where another user owns `.hpcai-rx`, it is `.hpcai-rx-<uid>`.
 *
 * The file has the format of its name: where the server's `Content-Encoding` made a tar of a `.tar.gz`,
 * a `.tar.gz` or `.tgz` is compressed again; a `.tar` is decompressed. Under other names the file has
 * the bytes that arrived. Its permissions are those of any new file; only a file is ever replaced.
 *
 * Only one process can save to a path at a time. After a process was killed, the next one waits for 3
 * seconds. A process that was suspended for longer may lose the path to another; it fails then, and does
 * not change what the other one saved.
 *
 * Runs on Deno, Node and Bun. In Deno it needs the permissions to read and to write the directory.
 *
 * @param client The client that sends the requests.
 * @param checkpoint A checkpoint of a listing, its path, or its ids.
 * @param path Where to save, for example `checkpoints/final.tar.gz`. Its directory is created.
 * @param options How to save.
 * @returns Emits progress like `download$`, from the byte that it resumes from; at the end
 * `complete`, and completes. Unsubscribing aborts at once and keeps what arrived; the next save of this
 * process to `path` waits until that is on the disk. Fails like `download$`; before any request, with a
 * {@linkcode PathExistsError} if a file exists at `path` that is not known to be this archive, and
 * `overwrite` is not set, and with an {@linkcode InvalidArgumentError} if what exists there is not a
 * file, even if it is a link to one; with an {@linkcode InvalidArchiveError} if `verify` finds the
 * archive damaged; with an {@linkcode HpcaiError} if another process saves to `path`, the state directory
 * cannot be trusted, or the file system fails or is full. What was at `path` is then untouched.
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
    const { transport, ids, settings, saveSettings } = validateSave(
      client,
      checkpoint,
      path,
      options,
    );
    const save$ = openFile$((signal) => openSavedFile(path, ids, saveSettings, signal)).pipe(
      switchMap((file) =>
        lockSink$(
          file.sink,
          (sink) => transfer$(transport, ids, sink, { ...settings, position: file.position }),
        ).pipe(
          // The error is emitted once the files are in their final state.
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
    // The limit includes the opening of the file, so that no file is opened before its turn.
    return transport.limitTransfers(save$);
  });
}

/** The validated arguments of a save with their defaults. */
interface SaveArguments {
  readonly transport: Transport;
  readonly ids: CheckpointIds;
  readonly settings: TransferSettings;
  readonly saveSettings: SaveSettings;
}

/**
 * Validates the arguments of {@linkcode saveArchive$} and adds the defaults.
 *
 * @throws {InvalidArgumentError} if one is invalid.
 */
export function validateSave(
  client: RestClient,
  checkpoint: CheckpointRef,
  path: string,
  options: SaveOptions,
): SaveArguments {
  requireOptions("options", options);
  const ids = checkpointIds(checkpoint);
  const transport = transportOf(client);
  const settings = toTransferSettings(options);
  requireFilePath(path);
  const { overwrite = false, sha256 = true, verify = false } = options;
  requireBoolean("overwrite", overwrite);
  requireBoolean("sha256", sha256);
  requireBoolean("verify", verify);
  return { transport, ids, settings, saveSettings: { overwrite, sha256, verify } };
}

/** Opens a file, and releases it if it is opened only after the unsubscription. */
function openFile$(open: (signal: AbortSignal) => Promise<SavedFile>): Observable<SavedFile> {
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
  if (typeof path === "string" && /[^/\\]$/.test(path) && !path.includes("\0")) return;
  throw new InvalidArgumentError("path", `must be the path of a file, got ${inspect(path)}`);
}
