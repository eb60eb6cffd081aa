import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { createTarDecoder } from "modern-tar";

const CHUNK_BYTES = 256 * 1024;

/**
 * Reads a `.tar.gz` or a plain tar from its first byte to its last, which checks gzip's CRC and
 * length (RFC 1952, section 2.3.1) and the checksum of each of the tar's headers.
 *
 * @throws whatever is wrong with the archive.
 */
export async function verifyArchive(path: string, signal: AbortSignal): Promise<void> {
  const { readable, writable } = createTarDecoder({ strict: true });
  const walk = async () => {
    let entries = 0;
    for await (const { body } of readable) {
      await body.cancel();
      entries++;
    }
    if (entries === 0) throw new Error("it is no tar, or an empty one");
  };
  const bytes = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  const unpacked = await isGzip(path) ? createGunzip({ chunkSize: CHUNK_BYTES }) : undefined;
  const unpacking = unpacked && pipeline(bytes, unpacked, { signal });
  const pump = async () => {
    const writer = writable.getWriter();
    try {
      for await (const chunk of unpacked ?? bytes) {
        signal.throwIfAborted();
        await writer.write(chunk);
      }
      await writer.close();
    } catch (error) {
      await writer.abort(error).catch(() => {});
      throw error;
    }
  };
  // What fails first makes the others fail too, and tells the most.
  await Promise.all([unpacking, pump(), walk()]);
}

async function isGzip(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(new Uint8Array(2), 0, 2, 0);
    return buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await file.close();
  }
}
