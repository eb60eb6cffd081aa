// This module is browser compatible.

import { InvalidArchiveError } from "../errors.ts";
import { webStream } from "./web_stream.ts";

/** The first bytes of a gzip file (RFC 1952, section 2.3.1). */
const GZIP_MAGIC = [0x1f, 0x8b] as const;

/** The code of zlib's error for an input that ends early. */
const TRUNCATION_CODE = "Z_BUF_ERROR";

/** How many bytes zlib emits at a time; with its default of 16 KiB the calls take too long. */
const ZLIB_CHUNK_BYTES = 64 * 2 ** 10;

/** The two sides of a stream such as a `DecompressionStream`. */
export type ByteTransform = ReadableWritablePair<Uint8Array, Uint8Array>;

/**
 * Makes a stream that decompresses gzip: with `node:zlib` where the runtime has it, else with a
 * `DecompressionStream`. A chunk may be reused once its write resolves.
 *
 * Only zlib accepts several gzip members, and zeros after the last, in every runtime, and has a `code`
 * for each error: `Z_BUF_ERROR` if the input ends early.
 */
export function gunzip(): ByteTransform {
  const zlib = builtInZlib();
  return zlib === undefined
    ? decompressionStream()
    : zlibTransform(zlib.createGunzip({ chunkSize: ZLIB_CHUNK_BYTES }));
}

/** A `DecompressionStream` that receives copies, since Node's uses a chunk after its write resolves. */
export function decompressionStream(): ByteTransform {
  const { readable, writable } = new DecompressionStream("gzip");
  const writer = writable.getWriter();
  return {
    writable: new WritableStream({
      write: (chunk) => writer.write(chunk.slice()),
      close: () => writer.close(),
      abort: (reason) => writer.abort(reason),
    }),
    readable,
  };
}

/** The members of `zlib.Gunzip` that are used. */
interface ZlibStream extends AsyncIterable<Uint8Array> {
  on(event: "error", listener: (error: Error) => void): void;
  on(event: "end", listener: () => void): void;
  write(chunk: Uint8Array, callback: (error?: Error | null) => void): void;
  end(callback: () => void): void;
  destroy(): void;
}

/** `node:zlib`, without an import, which a bundler for browsers would have to resolve. */
function builtInZlib(): { createGunzip(options: { chunkSize: number }): ZlibStream } | undefined {
  // Typed here, since not every runtime has it.
  const { process } = globalThis as {
    process?: { getBuiltinModule?(id: "node:zlib"): ReturnType<typeof builtInZlib> };
  };
  return process?.getBuiltinModule?.("node:zlib");
}

function zlibTransform(zlib: ZlibStream): ByteTransform {
  let hasEnded = false;
  let settleWrite: (error?: Error) => void = () => {};
  return {
    writable: new WritableStream({
      start(controller) {
        // The callback of a write that fails may never be called, nor that of one after the end.
        zlib.on("end", () => {
          hasEnded = true;
          settleWrite();
        });
        zlib.on("error", (error) => {
          controller.error(error);
          settleWrite(error);
        });
      },
      write: (chunk) =>
        new Promise<void>((resolve, reject) => {
          if (hasEnded) return resolve();
          settleWrite = (error) => error ? reject(error) : resolve();
          zlib.write(chunk, (error) => hasEnded || !error ? resolve() : reject(error));
        }),
      close: () => new Promise<void>((resolve) => zlib.end(() => resolve())),
      abort: () => zlib.destroy(),
    }),
    readable: webStream(zlib),
  };
}

/** Whether these are the first bytes of a gzip file. */
export function isGzip(bytes: ArrayLike<number>): boolean {
  return GZIP_MAGIC.every((byte, index) => bytes[index] === byte);
}

/** Whether these bytes, which are too few to decide, can be the first ones of a gzip file. */
export function canBecomeGzip({ byteLength, [0]: first }: Uint8Array): boolean {
  return byteLength === 0 || (byteLength === 1 && first === GZIP_MAGIC[0]);
}

/** Reports an error of a decompressor as one of the archive; returns others unchanged. */
export function gzipError(cause: unknown): unknown {
  if (!(cause instanceof TypeError || errorCode(cause)?.startsWith("Z_"))) return cause;
  const problem = errorCode(cause) === TRUNCATION_CODE
    ? "its gzip ends early"
    : "its gzip is corrupt";
  return new InvalidArchiveError(problem, { cause });
}

/** Whether a decompressor failed because its input ended early. */
export function isTruncation(error: unknown): boolean {
  // The errors of a browser's DecompressionStream have no code; other errors occur before the end.
  return errorCode(error) === TRUNCATION_CODE ||
    (error instanceof TypeError && errorCode(error) === undefined);
}

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

/** A tar archive that is being decompressed. */
export interface DecompressedArchive {
  /** The bytes of the tar. */
  readonly tar: ReadableStream<Uint8Array>;
  /** How many bytes of the archive have been read, before they were decompressed. */
  readonly bytesRead: () => number;
}

/**
 * Decompresses a `.tar.gz`, and passes on a tar that is not compressed: where a server sends
 * `Content-Encoding: gzip`, `fetch` has decompressed it already. The first bytes decide which it is.
 */
export async function decompress(
  archive: ReadableStream<Uint8Array>,
): Promise<DecompressedArchive> {
  const reader = archive.getReader();
  const chunks: Uint8Array[] = [];
  const firstBytes: number[] = [];
  while (firstBytes.length < GZIP_MAGIC.length) {
    const { value } = await reader.read();
    if (value === undefined) break;
    chunks.push(value);
    firstBytes.push(...value.subarray(0, GZIP_MAGIC.length));
  }
  reader.releaseLock();
  let bytesRead = chunks.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const bytes = archive.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(chunk);
      },
      transform(chunk, controller) {
        bytesRead += chunk.byteLength;
        controller.enqueue(chunk);
      },
    }),
  );
  return {
    tar: isGzip(firstBytes) ? bytes.pipeThrough(gunzip()) : bytes,
    bytesRead: () => bytesRead,
  };
}
