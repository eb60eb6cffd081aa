import { catchError, concatMap, defer, Observable, throwError } from "rxjs";
import { inspect, requireBoolean, requireInteger, requireOptions } from "../arguments.ts";
import { checkpointIds } from "../checkpoint_path.ts";
import { transportOf } from "../transport/client_transport.ts";
import type { ArchiveEntry } from "../download/archive_entry.ts";
import { decompress } from "../download/decompress.ts";
import { toTransferSettings } from "../download/transfer_settings.ts";
import { toDownloadEvents } from "../download/progress.ts";
import { readTransfer$ } from "../download/read_transfer.ts";
import { DEFAULT_MAX_BYTES, DEFAULT_MAX_RATIO, tarEntries } from "../download/tar_entries.ts";
import { InvalidArgumentError, UnsafeArchiveError } from "../errors.ts";
import type { RestClient } from "../rest_client.ts";
import type { Transport } from "../transport/transport.ts";
import type { CheckpointIds, CheckpointRef } from "../types.ts";
import { requireFree, writeDirectory, type WrittenEntry } from "./directory_sink.ts";
import type { ExtractCompleteEvent, ExtractEvent, ExtractOptions } from "./extract_event.ts";
import { toPathError } from "./path_errors.ts";

const DEFAULT_MAX_ENTRIES = 100_000;

/**
 * Extracts a checkpoint's archive into a new directory while it arrives, without an intermediate file.
 *
 * All entries are written into the hidden directory `.hpcai-rx` beside the new one, which gets its name
 * at the end, atomically. What a killed process left there is removed by the next save or extraction
 * into the same directory; a directory that it was about to replace gets its name back. Runs on Deno,
 * Node and Bun; where the archive contains symbolic links, Deno needs `--allow-read` and `--allow-write`
 * without paths.
 *
 * The archive is not trusted: nothing is written outside of the directory, no existing file is opened,
 * no device is created. The permission to execute is kept; other permissions, owner and times are not.
 *
 * @param client The client that sends the requests.
 * @param checkpoint A checkpoint of a listing, its path, or its ids.
 * @param directory The directory for the archive's entries. Must not exist unless `overwrite` is set;
 * its parents are created.
 * @param options What to extract, and limits.
 * @returns Emits `progress` at most every `progressIntervalMs`, the first and the last always,
 * `entry` for each file and link, then `complete` once, and completes. Unsubscribing aborts the
 * transfer and removes what was written. Fails like `RestClient.download$`; with an
 * {@linkcode UnsafeArchiveError} that names the entry if one could be outside of the directory, has the
 * name of another, is neither file nor directory nor link, or exceeds a limit; with an
 * {@linkcode InvalidArchiveError} if the archive is damaged; with an {@linkcode HpcaiError} if the file
 * system fails. After an error there is no directory, or the one that existed before.
 *
 * @example
 * ```ts
 * import { RestClient } from "@hpcai/rx";
 * import { extractArchive$ } from "@hpcai/rx/fs";
 * import { lastValueFrom, tap } from "rxjs";
 * import { mkdtemp } from "node:fs/promises";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 *
 * const client = new RestClient(); // the key is read from HPCAI_API_KEY
 * const checkpoint = "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010";
 * const directory = join(await mkdtemp(join(tmpdir(), "checkpoints-")), "step_0010");
 *
 * await lastValueFrom(
 *   extractArchive$(client, checkpoint, directory).pipe(
 *     tap((event) => {
 *       if (event.type === "entry") console.log(event.path, event.size);
 *     }),
 *   ),
 * );
 * ```
 */
export function extractArchive$(
  client: RestClient,
  checkpoint: CheckpointRef,
  directory: string,
  options: ExtractOptions = {},
): Observable<ExtractEvent> {
  return defer(() => {
    requireOptions("options", options);
    requireDirectory(directory);
    const transport = transportOf(client);
    const ids = checkpointIds(checkpoint);
    const settings = extractSettings(options);
    return defer(() => requireFree(directory, settings.overwrite)).pipe(
      concatMap(() => extract$(transport, ids, directory, settings)),
      catchError((error) =>
        throwError(() => toPathError(`Cannot extract into ${inspect(directory)}`, error))
      ),
    );
  });
}

/** The validated options of an extraction with their defaults. */
type ExtractSettings =
  & ReturnType<typeof toTransferSettings>
  & Required<{ [K in "overwrite" | "strip" | Limit]: NonNullable<ExtractOptions[K]> }>
  & Pick<ExtractOptions, "filter">;

type Limit = "maxEntries" | "maxBytes" | "maxRatio";

function extractSettings(options: ExtractOptions): ExtractSettings {
  const {
    overwrite = false,
    strip = 0,
    filter,
    maxEntries = DEFAULT_MAX_ENTRIES,
    maxBytes = DEFAULT_MAX_BYTES,
    maxRatio = DEFAULT_MAX_RATIO,
    ...transfer
  } = options;
  requireBoolean("overwrite", overwrite);
  requireInteger("strip", strip, 0);
  requireInteger("maxEntries", maxEntries, 0);
  requireInteger("maxBytes", maxBytes, 0);
  requireInteger("maxRatio", maxRatio, 1);
  if (filter !== undefined && typeof filter !== "function") {
    throw new InvalidArgumentError("filter", `must be a function, got ${inspect(filter)}`);
  }
  return {
    ...toTransferSettings(transfer),
    overwrite,
    strip,
    filter,
    maxEntries,
    maxBytes,
    maxRatio,
  };
}

function requireDirectory(directory: unknown): void {
  if (typeof directory === "string" && directory !== "" && !directory.includes("\0")) return;
  throw new InvalidArgumentError("directory", `must be a path, got ${inspect(directory)}`);
}

function extract$(
  transport: Transport,
  ids: CheckpointIds,
  directory: string,
  settings: ExtractSettings,
): Observable<ExtractEvent> {
  return new Observable((subscriber) => {
    let counts = NOTHING_EXTRACTED;
    let ending: AbortController | undefined;

    const onWritten = ({ path, type, size }: WrittenEntry): void => {
      counts = { entries: counts.entries + 1, bytes: counts.bytes + size };
      if (type !== "directory") subscriber.next({ type: "entry", path, size });
    };
    const read = async (bytes: ReadableStream<Uint8Array>): Promise<void> => {
      counts = NOTHING_EXTRACTED;
      ending = new AbortController();
      const entries = selectEntries(
        tarEntries(await decompress(bytes), settings.maxRatio),
        settings,
      );
      await writeDirectory(directory, entries, settings, ending, onWritten);
    };

    // The option maxBytes limits the extracted bytes; this setting would limit the received ones.
    const readSettings = { ...settings, maxBytes: Infinity, canRestart: true };
    subscriber.add(
      readTransfer$(transport, ids, readSettings, read).pipe(
        toDownloadEvents<ExtractCompleteEvent>(
          settings.progressIntervalMs,
          () => ({ type: "complete", directory, ...counts }),
        ),
      ).subscribe({
        next: (event) =>
          subscriber.next(
            event.type === "complete" ? event : { ...event, entries: counts.entries },
          ),
        error: (error) => subscriber.error(error),
        complete: () => subscriber.complete(),
      }),
    );
    return () => ending?.abort();
  });
}

const NOTHING_EXTRACTED: Pick<ExtractCompleteEvent, "entries" | "bytes"> = { entries: 0, bytes: 0 };

/** Yields the entries that the filter accepts; fails after `maxEntries` entries. */
async function* selectEntries(
  entries: AsyncIterable<ArchiveEntry>,
  { filter, maxEntries }: ExtractSettings,
): AsyncGenerator<ArchiveEntry> {
  let count = 0;
  for await (const entry of entries) {
    if (++count > maxEntries) {
      const reason = `the archive has more than ${maxEntries} entries (maxEntries)`;
      throw new UnsafeArchiveError(entry.path, reason, {
        advice: "Increase maxEntries if so many are expected.",
      });
    }
    if (filter?.(entry) !== false) yield entry;
  }
}
