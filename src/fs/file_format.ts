import type { FileHandle } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { archiveFormatProbe } from "../download/archive_format.ts";
import type { ArchiveFormat } from "../download/download_event.ts";
import { gzipError } from "../download/decompress.ts";
import { TAR_BLOCK_BYTES } from "../download/tar_scanner.ts";
import { DEFAULT_MAX_RATIO, exceedsRatio } from "../download/tar_entries.ts";
import { InvalidArchiveError } from "../errors.ts";
import type { FileDigest } from "./file_digest.ts";
import { readBytes, writeBytes } from "./regular_file.ts";

/** The fastest level, since only the format matters and saving waits for it. */
const GZIP_LEVEL = 1;

const ZLIB_CHUNK_BYTES = 256 * 1024;

/** Detects the format of an archive by its first bytes. */
export async function detectFormat(file: FileHandle): Promise<ArchiveFormat> {
  const probe = archiveFormatProbe();
  for await (const first of readBytes(file, TAR_BLOCK_BYTES)) probe.observe(first, 0);
  return probe.format();
}

/** Returns the format that the name of a file requires; `undefined` where any is allowed. */
export function formatOfName(name: string): "tar.gz" | "tar" | undefined {
  if (/\.(?:tar\.gz|tgz)$/i.test(name)) return "tar.gz";
  return /\.tar$/i.test(name) ? "tar" : undefined;
}

/**
 * Writes an archive in another format: compresses a tar, or decompresses a `.tar.gz`.
 *
 * @param digest Receives the written bytes.
 * @throws {InvalidArchiveError} if the gzip is damaged, or exceeds the ratio of a gzip bomb.
 */
export async function convertArchive(
  bytes: AsyncIterable<Uint8Array>,
  to: "tar.gz" | "tar",
  file: FileHandle,
  digest: FileDigest,
  signal: AbortSignal,
): Promise<void> {
  const options = { chunkSize: ZLIB_CHUNK_BYTES };
  const zlib = to === "tar" ? createGunzip(options) : createGzip({ ...options, level: GZIP_LEVEL });
  let length = 0;
  let read = 0;
  const countBytes = async function* () {
    for await (const chunk of bytes) {
      read += chunk.byteLength;
      yield chunk;
    }
  };
  try {
    await pipeline(countBytes, zlib, async (chunks: AsyncIterable<Uint8Array>) => {
      for await (const chunk of chunks) {
        digest.update(chunk);
        await writeBytes(file, chunk, length);
        length += chunk.byteLength;
        if (to === "tar" && exceedsRatio(length, read, DEFAULT_MAX_RATIO)) {
          throw new InvalidArchiveError(
            `it decompresses to more than ${DEFAULT_MAX_RATIO} times its size`,
          );
        }
      }
    }, { signal });
  } catch (cause) {
    throw gzipError(cause);
  }
}
