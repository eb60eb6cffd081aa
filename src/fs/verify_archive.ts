import { createReadStream } from "node:fs";
import { decompress } from "../download/decompress.ts";
import { tarEntries } from "../download/tar_entries.ts";
import { InvalidArchiveError } from "../errors.ts";
import { webStream } from "../download/web_stream.ts";

const CHUNK_BYTES = 256 * 1024;

/**
 * Reads a `.tar.gz` or a plain tar from its first byte to its last, as extracting it would, which
 * checks gzip's CRC and length (RFC 1952, section 2.3.1) and each of the tar's headers.
 *
 * @throws {InvalidArchiveError} if the archive is broken, or holds nothing.
 * @throws {UnsafeArchiveError} if an entry cannot be read right.
 */
export async function verifyArchive(path: string, signal: AbortSignal): Promise<void> {
  const file = createReadStream(path, { highWaterMark: CHUNK_BYTES, signal });
  let entries = 0;
  for await (const _entry of tarEntries(await decompress(webStream(file)))) entries++;
  if (entries === 0) throw new InvalidArchiveError("it is no tar, or an empty one");
}
