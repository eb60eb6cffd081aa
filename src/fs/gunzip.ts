import { createGunzip } from "node:zlib";
import type { ByteTransform } from "../download/unpacked.ts";
import { webStream } from "./web_stream.ts";

/** As many bytes come out at a time; zlib's own 16 KiB cost more in calls than they save. */
const CHUNK_BYTES = 64 * 2 ** 10;

/**
 * Makes a stream that unpacks gzip with `node:zlib`, since in Deno and in browsers a
 * `DecompressionStream` takes a single gzip member, where `tar` takes many.
 */
export function gunzip(): ByteTransform {
  const zlib = createGunzip({ chunkSize: CHUNK_BYTES });
  return {
    writable: new WritableStream({
      start(controller) {
        zlib.on("error", (error) => controller.error(error));
      },
      write: (chunk) =>
        new Promise<void>((resolve, reject) => {
          zlib.write(chunk, (error) => error ? reject(error) : resolve());
        }),
      close: () => new Promise<void>((resolve) => zlib.end(resolve)),
      abort: (reason) => void zlib.destroy(reason),
    }),
    readable: webStream(zlib),
  };
}
