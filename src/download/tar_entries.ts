// This module is browser compatible.

import { createTarDecoder, type ParsedTarEntry } from "modern-tar";
import { HpcaiError, InvalidArchiveError, UnsafeArchiveError } from "../errors.ts";
import type { ArchiveEntry } from "./archive_entry.ts";
import { checkedTar } from "./tar_blocks.ts";

/**
 * Reads the entries of a tar archive as it comes. Goes on to the next entry when the body of the one
 * before is read to its end, or cancelled; one that nobody has begun to read is skipped.
 *
 * @throws {InvalidArchiveError} if the archive is broken.
 * @throws {UnsafeArchiveError} if an entry cannot be read right.
 */
export async function* tarEntries(
  tar: ReadableStream<Uint8Array>,
): AsyncGenerator<ArchiveEntry, void, void> {
  const reader = tar.pipeThrough(checkedTar()).pipeThrough(createTarDecoder({ strict: true }))
    .getReader();
  while (true) {
    const { value } = await reader.read().catch(throwArchiveError);
    if (value === undefined) return;
    const { entry, consumed } = archiveEntry(value);
    yield entry;
    if (!entry.body.locked) await entry.body.cancel();
    await consumed;
  }
}

function archiveEntry(
  { header, body }: ParsedTarEntry,
): { readonly entry: ArchiveEntry; readonly consumed: Promise<void> } {
  const { name: path, type = "file", size, mode = 0, mtime = new Date(0), linkname, pax } = header;
  if (Object.keys(pax ?? {}).some((key) => key.startsWith("GNU.sparse."))) {
    throw new UnsafeArchiveError(path, "it is a sparse file, which cannot be read right");
  }
  const isLink = type === "link" || type === "symlink";
  const watched = watchConsumption(body, size);
  return {
    entry: {
      path,
      type,
      size,
      mode,
      mtime,
      linkTarget: isLink ? linkname : undefined,
      body: watched.body,
    },
    consumed: watched.consumed,
  };
}

/** Tells when a body of that many bytes has been read or cancelled; reads nothing ahead. */
function watchConsumption(
  body: ReadableStream<Uint8Array>,
  size: number,
): { readonly body: ReadableStream<Uint8Array>; readonly consumed: Promise<void> } {
  const reader = body.getReader();
  let remaining = size;
  let watched = new ReadableStream<Uint8Array>();
  const consumed = new Promise<void>((resolve, reject) => {
    watched = new ReadableStream<Uint8Array>({
      start(controller) {
        if (size > 0) return;
        controller.close();
        resolve();
      },
      async pull(controller) {
        try {
          const { value } = await reader.read().catch(throwArchiveError);
          if (value !== undefined) {
            remaining -= value.byteLength;
            controller.enqueue(value);
          }
          if (value !== undefined && remaining > 0) return;
          controller.close();
          resolve();
        } catch (error) {
          reject(error);
          throw error;
        }
      },
      cancel() {
        // The rest is read, since modern-tar 0.8.6 takes the cancelling of a body that it has passed
        // for that of the one it is at. Who has had enough does not wait for it.
        drain(reader).then(resolve, reject);
      },
    }, { highWaterMark: 0 });
  });
  // Who has stopped reading the archive does not wait for this.
  consumed.catch(() => {});
  return { body: watched, consumed };
}

async function drain(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  while (!(await reader.read().catch(throwArchiveError)).done);
}

/** The decoders' own errors say what is wrong, but not with what. */
function throwArchiveError(cause: unknown): never {
  if (cause instanceof HpcaiError) throw cause;
  throw new InvalidArchiveError(cause instanceof Error ? cause.message : String(cause), { cause });
}
