import { concatMap, defer, filter, Observable, take, throwIfEmpty } from "rxjs";
import { inspect, requireInteger, requireOptions } from "../arguments.ts";
import { checkpointIds } from "../checkpoint_path.ts";
import { ArchiveEntryNotFoundError, InvalidArgumentError, UnsafeArchiveError } from "../errors.ts";
import type { Transport } from "../transport/transport.ts";
import type { CheckpointIds, CheckpointRef } from "../types.ts";
import type {
  ArchiveEntriesOptions,
  ArchiveEntry,
  ReadArchiveEntryOptions,
} from "./archive_entry.ts";
import { memorySink } from "./archive_sink.ts";
import { decompress } from "./decompress.ts";
import { readTransfer$ } from "./read_transfer.ts";
import { DEFAULT_MAX_BYTES, DEFAULT_MAX_RATIO, tarEntries } from "./tar_entries.ts";
import { toTransferSettings, type TransferSettings } from "./transfer_settings.ts";

const DEFAULT_MAX_ENTRY_BYTES = 64 * 2 ** 20;

const MAX_BYTES_ADVICE = "Increase maxBytes if that size is expected.";

/** Reads the entries of an archive as it arrives; implements `RestClient.archiveEntries$`. */
export function archiveEntries$(
  transport: Transport,
  checkpoint: CheckpointRef,
  options: ArchiveEntriesOptions = {},
): Observable<ArchiveEntry> {
  return defer(() => {
    const settings = entriesSettings(options, DEFAULT_MAX_BYTES);
    return entries$(transport, checkpointIds(checkpoint), settings);
  });
}

/** Reads one file of an archive; implements `RestClient.readArchiveEntry$`. */
export function readArchiveEntry$(
  transport: Transport,
  checkpoint: CheckpointRef,
  path: string,
  options: ReadArchiveEntryOptions = {},
): Observable<Uint8Array<ArrayBuffer>> {
  return defer(() => {
    if (typeof path !== "string" || normalizeEntryName(path) === "") {
      throw new InvalidArgumentError(
        "path",
        `must be the name of a file in the archive, got ${inspect(path)}`,
      );
    }
    const { maxBytes, ...settings } = entriesSettings(options, DEFAULT_MAX_ENTRY_BYTES);
    const ids = checkpointIds(checkpoint);
    return entries$(transport, ids, { ...settings, maxBytes: DEFAULT_MAX_BYTES }).pipe(
      filter(({ type, path: name }) => type === "file" && isSameEntryName(name, path)),
      concatMap(async ({ path, size, body }) => {
        if (size > maxBytes) {
          const reason = `it has ${size} bytes, more than ${maxBytes} (maxBytes)`;
          throw new UnsafeArchiveError(path, reason, { advice: MAX_BYTES_ADVICE });
        }
        const memory = memorySink();
        await body.pipeTo(memory.writable);
        return memory.takeBody();
      }),
      take(1),
      throwIfEmpty(() => new ArchiveEntryNotFoundError(path)),
    );
  });
}

/** How to read entries, and the limits of their size. */
interface EntriesSettings {
  readonly transfer: TransferSettings;
  readonly maxBytes: number;
  readonly maxRatio: number;
}

function entriesSettings(options: ArchiveEntriesOptions, defaultMaxBytes: number): EntriesSettings {
  requireOptions("options", options);
  // The `maxBytes` of a transfer limits the bytes that are transferred, this one those of the entries.
  const { maxBytes = defaultMaxBytes, maxRatio = DEFAULT_MAX_RATIO, ...transfer } = options;
  requireInteger("maxBytes", maxBytes, 0);
  requireInteger("maxRatio", maxRatio, 1);
  return { transfer: toTransferSettings(transfer), maxBytes, maxRatio };
}

function entries$(
  transport: Transport,
  checkpoint: CheckpointIds,
  { transfer, maxBytes, maxRatio }: EntriesSettings,
): Observable<ArchiveEntry> {
  return new Observable((subscriber) => {
    const read = async (archive: ReadableStream<Uint8Array>): Promise<void> => {
      let bytes = 0;
      for await (const entry of tarEntries(await decompress(archive), maxRatio)) {
        bytes += entry.size;
        if (bytes > maxBytes) {
          const reason = `the entries have more than ${maxBytes} bytes (maxBytes)`;
          throw new UnsafeArchiveError(entry.path, reason, { advice: MAX_BYTES_ADVICE });
        }
        subscriber.next(entry);
      }
    };
    return readTransfer$(transport, checkpoint, { ...transfer, canRestart: false }, read).subscribe(
      {
        error: (error) => subscriber.error(error),
        complete: () => subscriber.complete(),
      },
    );
  });
}

/** Whether two names are equal. A leading `./`, with which some archives begin each name, is ignored. */
export function isSameEntryName(name: string, other: string): boolean {
  return normalizeEntryName(name) === normalizeEntryName(other);
}

function normalizeEntryName(name: string): string {
  return name.replace(/^(?:\.\/+)+/, "");
}
