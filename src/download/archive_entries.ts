import { concatMap, defer, filter, Observable, take, throwIfEmpty } from "rxjs";
import { requireOptions, show } from "../arguments.ts";
import { checkpointIds } from "../checkpoint_path.ts";
import { ArchiveEntryNotFoundError, InvalidArgumentError } from "../errors.ts";
import type { Transport } from "../transport/transport.ts";
import type { CheckpointRef } from "../types.ts";
import type { ArchiveEntriesOptions, ArchiveEntry } from "./archive_entry.ts";
import { memorySink } from "./archive_sink.ts";
import { transferSettings } from "./download.ts";
import { readTransfer$ } from "./read_transfer.ts";
import { tarEntries } from "./tar_entries.ts";
import { decompress } from "./decompress.ts";

/** Emits the entries of an archive while it arrives; what `RestClient.archiveEntries$` promises. */
export function archiveEntries$(
  transport: Transport,
  checkpoint: CheckpointRef,
  options: ArchiveEntriesOptions = {},
): Observable<ArchiveEntry> {
  return defer(() => {
    requireOptions("options", options);
    const ids = checkpointIds(checkpoint);
    const settings = { ...transferSettings(options), maxBytes: Infinity, canRestart: false };
    return new Observable<ArchiveEntry>((subscriber) =>
      readTransfer$(transport, ids, settings, async (bytes) => {
        for await (const entry of tarEntries(await decompress(bytes))) {
          subscriber.next(entry);
        }
      }).subscribe({
        error: (error) => subscriber.error(error),
        complete: () => subscriber.complete(),
      })
    );
  });
}

/** Emits the bytes of one file of an archive; what `RestClient.readArchiveEntry$` promises. */
export function readArchiveEntry$(
  transport: Transport,
  checkpoint: CheckpointRef,
  path: string,
): Observable<Uint8Array<ArrayBuffer>> {
  return defer(() => {
    if (typeof path !== "string" || plain(path) === "") {
      throw new InvalidArgumentError(
        "path",
        `must be the name of a file in the archive, but is ${show(path)}`,
      );
    }
    return archiveEntries$(transport, checkpoint).pipe(
      filter((entry) => entry.type === "file" && plain(entry.path) === plain(path)),
      concatMap(async ({ body }) => {
        const memory = memorySink();
        await body.pipeTo(memory.writable);
        return memory.takeBody();
      }),
      take(1),
      throwIfEmpty(() => new ArchiveEntryNotFoundError(path)),
    );
  });
}

/** A name without the `./` that archives of a whole directory begin their names with. */
export function plain(path: string): string {
  return path.replace(/^(?:\.\/+)+/, "");
}
