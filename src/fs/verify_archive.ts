import { decompress } from "../download/decompress.ts";
import { tarEntries } from "../download/tar_entries.ts";
import { InvalidArchiveError } from "../errors.ts";
import { webStream } from "../download/web_stream.ts";

/**
 * Verifies a `.tar.gz` or a tar.
 *
 * It reads the archive to its end, as an extraction does, which checks gzip's CRC and length (RFC 1952,
 * section 2.3.1) and each header of the tar.
 *
 * @throws {InvalidArchiveError} if the archive is damaged, or has no entry.
 * @throws {UnsafeArchiveError} if an entry is not supported.
 */
export async function verifyArchive(bytes: AsyncIterable<Uint8Array>): Promise<void> {
  let entries = 0;
  for await (const _entry of tarEntries(await decompress(webStream(bytes)))) entries++;
  if (entries === 0) throw new InvalidArchiveError("it is not a tar, or it is empty");
}
