import { createHash } from "node:crypto";
import { createTarDecoder } from "modern-tar";

/** What is known of an archive that has gone through. */
export interface ArchiveReport {
  /** In hexadecimal. */
  readonly sha256: string;
  readonly files: readonly { readonly name: string; readonly size: number }[];
}

/** A stream that keeps nothing of an archive but what it finds out. */
export interface ArchiveCheck {
  readonly writable: WritableStream<Uint8Array>;
  /**
   * Rejects if the bytes are no `.tar.gz`, or do not fit gzip's own CRC-32 and length; is `undefined`
   * where the archive was given up before its end.
   */
  readonly report: Promise<ArchiveReport | undefined>;
}

export function checkArchive(): ArchiveCheck {
  const hash = createHash("sha256");
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      hash.update(chunk);
      controller.enqueue(chunk);
    },
  });
  const report = listFiles(readable).then(
    (files) => ({ sha256: hash.digest("hex"), files }),
    (error) => {
      if (error.name !== "AbortError") throw error;
      return undefined;
    },
  );
  return { writable, report };
}

async function listFiles(archive: ReadableStream<Uint8Array<ArrayBuffer>>) {
  const entries = archive
    .pipeThrough(new DecompressionStream("gzip"))
    .pipeThrough(createTarDecoder({ strict: true }));
  const files = [];
  for await (const { header, body } of entries) {
    files.push({ name: header.name, size: header.size });
    await body.pipeTo(new WritableStream());
  }
  return files;
}
