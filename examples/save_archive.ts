import type { CheckpointRef, DownloadEvent, RestClient } from "@hpcai/rx";
import { concatMap, defer, finalize, type Observable } from "rxjs";

/** The file in ./checkpoints for a checkpoint, named by its id or its path. */
export function archivePath(name: string): string {
  return `./checkpoints/${name.replaceAll(/[^\w.-]+/g, "_")}.tar.gz`;
}

/**
 * Streams a checkpoint's archive into a file. A file of that name is always whole, since the bytes
 * go to `<path>.part` first; that one is removed when the download fails or is unsubscribed from.
 *
 * @returns Emits what `download$` does, `complete` once the file has its name.
 */
export function saveArchive$(
  client: RestClient,
  checkpoint: CheckpointRef,
  path: string,
): Observable<DownloadEvent> {
  const part = `${path}.part`;
  return defer(async () => {
    await Deno.mkdir("./checkpoints", { recursive: true });
    return await Deno.open(part, { write: true, create: true, truncate: true });
  }).pipe(
    concatMap((file) => client.download$(checkpoint, { to: file.writable })),
    concatMap(async (event) => {
      if (event.type === "complete") await Deno.rename(part, path);
      return event;
    }),
    finalize(() => Deno.remove(part).catch(() => {})), // Fails where it has its name already.
  );
}
