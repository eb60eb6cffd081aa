import { randomUUID } from "node:crypto";
import { link, lstat, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { requireBoolean, requireOptions, show } from "../arguments.ts";
import { HpcaiError, InvalidArgumentError } from "../errors.ts";
import { syncDirectory } from "./directory.ts";
import { isCode } from "./file_status.ts";
import { PathExistsError } from "./path_errors.ts";
import { requireFilePath } from "./save_archive.ts";

/** How to write a file. */
export interface FileSinkOptions {
  /** Whether a regular file that is at the path is replaced. Default `false`. */
  readonly overwrite?: boolean | undefined;
}

/** How many bytes are written at a time: Deno's small writes cost more than twice as much a byte. */
const BATCH_BYTES = 1024 ** 2;

/** How many bytes may wait while a batch is written, so that disk and network overlap. */
const QUEUE_BYTES = 512 * 1024;

/**
 * Creates a `WritableStream` that writes a file with backpressure, for the option `to` of `download$`
 * or any other stream of bytes. Memory use does not depend on the size of the file.
 *
 * The bytes go to a temporary file in the same directory, named `.hpcai-rx-<random>.part`. Closing the
 * stream syncs it to the disk and gives it its name, so that a file at `path` is complete. Aborting the
 * stream, or an error, removes it; only a process that is killed leaves it behind. Use `saveArchive$`
 * for downloads that resume after that.
 *
 * Nothing is created before the first chunk. Missing directories are created. Runs on Deno, Node and
 * Bun; in Deno it needs the permissions to read and to write the directory.
 *
 * @param path Where to write, for example `checkpoints/final.tar.gz`.
 * @param options How to write.
 * @returns The stream. It fails with an {@linkcode InvalidArgumentError} if an argument is invalid, a
 * chunk is not a `Uint8Array`, or something else than a regular file is at `path`, which is never
 * replaced; with a {@linkcode PathExistsError} if a file is there and `overwrite` is not set; with an {@linkcode HpcaiError} if the
 * file system refuses. What was at `path` is then untouched.
 *
 * @example
 * ```ts
 * import { RestClient } from "@hpcai/rx";
 * import { fileSink } from "@hpcai/rx/fs";
 * import { mkdtemp } from "node:fs/promises";
 * import { tmpdir } from "node:os";
 * import { lastValueFrom } from "rxjs";
 *
 * const client = new RestClient(); // the key is read from HPCAI_API_KEY
 * const checkpoint = "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/final";
 * const directory = await mkdtemp(`${tmpdir()}/`);
 *
 * const to = fileSink(`${directory}/final.tar.gz`);
 * await lastValueFrom(client.download$(checkpoint, { to }));
 * ```
 */
export function fileSink(path: string, options: FileSinkOptions = {}): WritableStream<Uint8Array> {
  let file: BatchedFile | undefined;

  /** Runs a step; if it fails, nothing is left of the file. */
  const step = async (run: () => Promise<void>) => {
    try {
      await run();
    } catch (cause) {
      await file?.remove().catch(() => {}); // The first error is the one to report.
      if (cause instanceof HpcaiError) throw cause;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new HpcaiError(`Cannot write ${path}: ${reason}`, { cause });
    }
  };

  return new WritableStream<Uint8Array>({
    start: () =>
      step(async () => {
        requireFilePath(path);
        requireOptions("options", options);
        requireBoolean("overwrite", options.overwrite ?? false);
        await requireReplaceable(path, options);
      }),
    write: (chunk) =>
      step(async () => {
        if (!(chunk instanceof Uint8Array)) {
          throw new InvalidArgumentError("chunk", `must be a Uint8Array, got ${show(chunk)}`);
        }
        file ??= await openBatchedFile(dirname(path));
        await file.append(chunk);
      }),
    close: () =>
      step(async () => {
        file ??= await openBatchedFile(dirname(path));
        await file.sync();
        await requireReplaceable(path, options);
        await file.moveTo(path, options.overwrite === true);
        await syncDirectory(path);
      }),
    abort: () => file?.remove(),
  }, { highWaterMark: QUEUE_BYTES, size: (chunk) => chunk?.byteLength ?? 0 });
}

/** Throws if a file must not get this path. */
async function requireReplaceable(path: string, { overwrite }: FileSinkOptions): Promise<void> {
  const found = await lstat(path).catch((error) => {
    if (isCode(error, "ENOENT")) return undefined;
    throw error;
  });
  if (found === undefined || (found.isFile() && overwrite === true)) return;
  throw found.isFile() ? existsError(path) : new InvalidArgumentError(
    "path",
    `${path} is not a regular file`,
    { advice: "Write to another path." },
  );
}

function existsError(path: string): PathExistsError {
  return new PathExistsError(
    "path",
    `${path} exists`,
    { advice: "Write to another path, or set the option overwrite." },
  );
}

/** A file without a name of its own yet. */
interface BatchedFile {
  append(bytes: Uint8Array): Promise<void>;
  /** Writes what waits, and makes sure that all bytes outlive a power failure. */
  sync(): Promise<void>;
  /** Closes the file and gives it its name. */
  moveTo(path: string, overwrite: boolean): Promise<void>;
  /** Closes the file and removes it, unless it has its name. */
  remove(): Promise<void>;
}

async function openBatchedFile(directory: string): Promise<BatchedFile> {
  await mkdir(directory, { recursive: true });
  const temporary = join(directory, `.hpcai-rx-${randomUUID()}.part`);
  const file = await open(temporary, "wx");
  const batch = new Uint8Array(BATCH_BYTES);
  let filled = 0;
  let isOpen = true;

  const flush = async () => {
    for (let from = 0; from < filled;) {
      from += (await file.write(batch, from, filled - from)).bytesWritten;
    }
    filled = 0;
  };
  const close = async () => {
    if (isOpen) await file.close();
    isOpen = false;
  };
  return {
    async append(bytes) {
      for (let from = 0; from < bytes.byteLength;) {
        const taken = bytes.subarray(from, from + BATCH_BYTES - filled);
        batch.set(taken, filled);
        filled += taken.byteLength;
        from += taken.byteLength;
        if (filled === BATCH_BYTES) await flush();
      }
    },
    async sync() {
      await flush();
      await file.sync();
    },
    async moveTo(path, overwrite) {
      await close();
      if (overwrite || !await isLinked(temporary, path)) await rename(temporary, path);
      else await rm(temporary);
    },
    async remove() {
      await close();
      await rm(temporary, { force: true });
    },
  };
}

/** Gives a file a second name if that is free, or returns false where there are no hard links. */
async function isLinked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (isCode(error, "EEXIST")) throw existsError(to);
    return false;
  }
}
