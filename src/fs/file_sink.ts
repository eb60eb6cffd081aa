import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { inspect, requireBoolean, requireOptions } from "../arguments.ts";
import { InvalidArgumentError } from "../errors.ts";
import { batchedWriter } from "./batched_writer.ts";
import { makeDirectory } from "./directory.ts";
import { statusOf, statusOfOpen } from "./file_status.ts";
import { existsError, nameFile, requireReplaceable } from "./name_file.ts";
import { toPathError } from "./path_errors.ts";
import { createFile } from "./regular_file.ts";
import { requireFilePath } from "./save_archive.ts";

/** How to write a file. */
export interface FileSinkOptions {
  /** Whether an existing regular file at the path is replaced. Default `false`. */
  readonly overwrite?: boolean | undefined;
}

/** How many bytes may wait while a batch is written, so that disk and network overlap. */
const QUEUE_BYTES = 512 * 1024;

/**
 * Creates a `WritableStream` that writes a file with backpressure.
 *
 * It is for the option `to` of `download$` or any other stream of bytes. Memory use does not depend on
 * the size of the file.
 *
 * The bytes go to a temporary file in the same directory, named `.hpcai-rx-<random>.part`. Closing the
 * stream syncs it to the disk and gives it its name, so that a file at `path` is complete. Aborting the
 * stream, or an error, removes it; only a killed process leaves it behind. `saveArchive$` resumes
 * downloads after that.
 *
 * Nothing is created before the first chunk. Missing directories are created. Runs on Deno, Node and
 * Bun; in Deno it needs the permissions to read and to write the directory.
 *
 * @param path Where to write, for example `checkpoints/final.tar.gz`.
 * @param options How to write.
 * @returns The stream. It fails with an {@linkcode InvalidArgumentError} if an argument is invalid, a
 * chunk is not a `Uint8Array`, or what exists at `path` is not a regular file and so is never replaced;
 * with a {@linkcode PathExistsError} if a file exists at `path` and `overwrite` is not set; with an
 * {@linkcode HpcaiError} if the file system fails. What was at `path` is then untouched.
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
  let file: TemporaryFile | undefined;

  /** Runs a step; if it fails, the file is removed. */
  const runStep = async (run: () => Promise<void>) => {
    try {
      await run();
    } catch (error) {
      await file?.remove().catch(() => {}); // The first error is the one to report.
      throw toPathError(`Cannot write ${path}`, error);
    }
  };

  return new WritableStream<Uint8Array>({
    start: () =>
      runStep(async () => {
        requireFilePath(path);
        requireOptions("options", options);
        const { overwrite = false } = options;
        requireBoolean("overwrite", overwrite);
        const found = await statusOf(path);
        requireReplaceable(path, found);
        if (found !== undefined && !overwrite) throw existsError(path, "exists");
      }),
    write: (chunk) =>
      runStep(async () => {
        if (!(chunk instanceof Uint8Array)) {
          throw new InvalidArgumentError("chunk", `must be a Uint8Array, got ${inspect(chunk)}`);
        }
        file ??= await openTemporaryFile(dirname(path));
        await file.append(chunk);
      }),
    close: () =>
      runStep(async () => {
        file ??= await openTemporaryFile(dirname(path));
        await file.moveTo(path, options.overwrite === true);
      }),
    abort: () => file?.remove(),
  }, { highWaterMark: QUEUE_BYTES, size: (chunk) => chunk?.byteLength ?? 0 });
}

/** A file without its final name. */
interface TemporaryFile {
  /** Appends bytes; resolves once no write is in flight, for the backpressure of the disk. */
  append(bytes: Uint8Array): Promise<void>;
  /** Syncs all bytes, closes the file and gives it its name. */
  moveTo(path: string, overwrite: boolean): Promise<void>;
  /** Closes the file and removes it, unless it has its name. */
  remove(): Promise<void>;
}

async function openTemporaryFile(directory: string): Promise<TemporaryFile> {
  await makeDirectory(directory);
  const temporary = join(directory, `.hpcai-rx-${randomUUID()}.part`);
  const file = await createFile(temporary);
  const writer = batchedWriter(file);
  let closing: Promise<void> | undefined;
  const close = () => closing ??= file.close();
  const remove = async () => {
    await close();
    await rm(temporary, { force: true });
  };
  return {
    async append(bytes) {
      await writer.append(bytes);
      await writer.waitForWrites();
    },
    async moveTo(path, overwrite) {
      await writer.flush();
      await file.sync();
      const { identity } = await statusOfOpen(file);
      await close();
      await nameFile(temporary, path, identity, overwrite);
      await remove();
    },
    remove,
  };
}
