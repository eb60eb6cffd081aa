// This module is browser compatible.

import { configFiles, minWeightsBytes, safetensorsHeader } from "./adapter_files.ts";
import { byteRange, byteStream } from "./byte_stream.ts";
import { concatenate } from "./concatenate.ts";
import { combineCrc32, crc32, repeatCrc32 } from "./crc32.ts";
import { hashText } from "./seeded_random.ts";
import { ceilTo, TAR_BLOCK, TAR_END, tarEntry, tarHeader } from "./tar_header.ts";
import { PATTERN_BYTES, weightsPattern } from "./weights_pattern.ts";

/** The most bytes in a stored block, and the length of its header (RFC 1951 section 3.2.4). */
const STORED_BLOCK = 65_535;
const STORED_HEADER = 5;

/** The length of a gzip member's fixed header and of its trailer (RFC 1952 section 2.3). */
const GZIP_HEADER = 10;
const GZIP_TRAILER = 8;

/** The length of the shortest archive. */
export const MIN_ARCHIVE_BYTES = 16_384;

/** The contents of a {@linkcode LoraArchive}. */
export interface LoraArchiveOptions {
  /** The exact length of the archive, in bytes; at least 16384. */
  readonly byteLength: number;
  /** The seed of the weights: archives with different names have different weights. */
  readonly name: string;
  /** The base model in `adapter_config.json`. */
  readonly baseModel: string;
  /** The LoRA rank. */
  readonly rank: number;
  /** The modification time of the files, in seconds since 1970. */
  readonly mtime: number;
}

/**
 * The archive of a LoRA checkpoint: a real `.tar.gz` of an exact length.
 *
 * It contains the configuration of an adapter, the files of its tokenizer, and an
 * `adapter_model.safetensors` that fills the rest.
 *
 * No bytes are stored. Each is computed from its position, so that an archive of any length takes a
 * few KiB of memory and any range of it is available at once. The gzip layer stores its data without
 * compression.
 *
 * @example Compare a download with the original
 * ```ts
 * import { RestClient } from "@hpcai/rx";
 * import { FakeHpcai } from "@hpcai/rx/testing";
 * import { assertEquals } from "@std/assert";
 * import { firstValueFrom } from "rxjs";
 *
 * const fake = new FakeHpcai({ archiveBytes: 100_000 });
 * const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch });
 * const trainingRunId = fake.addTrainingRun();
 * fake.addCheckpoint(trainingRunId, { checkpointId: "final" });
 *
 * const bytes = await firstValueFrom(client.downloadCheckpointArchive$(trainingRunId, "final"));
 *
 * assertEquals(bytes, fake.archive(trainingRunId, "final").slice());
 * ```
 */
export class LoraArchive {
  /** The archive's length in bytes. */
  readonly byteLength: number;
  /** A strong entity tag of the bytes, quotes included (RFC 9110 section 8.8.3). */
  readonly etag: string;
  readonly #gzipHeader: Uint8Array<ArrayBuffer>;
  readonly #gzipTrailer: Uint8Array<ArrayBuffer>;
  readonly #lastBlockHeader: Uint8Array<ArrayBuffer>;
  readonly #tarLength: number;
  readonly #beforeWeights: Uint8Array<ArrayBuffer>;
  readonly #weightsLength: number;
  readonly #phase: number;

  /**
   * Computes the layout.
   *
   * @param options The length and the contents.
   * @throws {RangeError} When `byteLength` is too small for the files before the weights.
   */
  constructor(options: LoraArchiveOptions) {
    const { byteLength, baseModel, rank, mtime } = options;
    const deflateLength = byteLength - GZIP_HEADER - GZIP_TRAILER;
    const blocks = Math.ceil(deflateLength / (STORED_BLOCK + STORED_HEADER));
    const tarLength = floorTo(TAR_BLOCK, deflateLength - blocks * STORED_HEADER);
    const config = concatenate(
      configFiles(baseModel, rank).map(([name, text]) =>
        tarEntry(name, new TextEncoder().encode(text), mtime)
      ),
    );
    const fileLength = tarLength - config.length - TAR_BLOCK - TAR_END;
    const safetensors = safetensorsHeader(fileLength, byteLength, rank);
    const weightsLength = fileLength - safetensors.length;
    const minWeights = minWeightsBytes(rank);
    if (!(weightsLength >= minWeights)) {
      const enough = ceilTo(TAR_BLOCK, byteLength - weightsLength + minWeights) + TAR_BLOCK;
      throw new RangeError(
        `An archive of ${byteLength} bytes has no room for its weights; ` +
          `make it at least ${Math.max(MIN_ARCHIVE_BYTES, enough)}`,
      );
    }
    const header = tarHeader("adapter_model.safetensors", fileLength, mtime);

    this.byteLength = byteLength;
    this.#tarLength = tarLength;
    this.#beforeWeights = concatenate([config, header, safetensors]);
    this.#weightsLength = weightsLength;
    this.#phase = hashText(options.name) % PATTERN_BYTES;

    const crc = this.#tarCrc32();
    this.etag = `"${crc.toString(16).padStart(8, "0")}-${byteLength.toString(16)}"`;
    const storedBlocks = Math.ceil(tarLength / STORED_BLOCK);
    this.#lastBlockHeader = blockHeader(tarLength - (storedBlocks - 1) * STORED_BLOCK, true);
    this.#gzipHeader = gzipHeader(
      byteLength - GZIP_TRAILER - storedBlocks * STORED_HEADER - tarLength,
    );
    this.#gzipTrailer = new Uint8Array(GZIP_TRAILER);
    const trailer = new DataView(this.#gzipTrailer.buffer);
    trailer.setUint32(0, crc, true);
    trailer.setUint32(4, tarLength % 2 ** 32, true);
  }

  /**
   * Returns the bytes as a stream, which creates each chunk on demand.
   *
   * @param start The first byte's position.
   * @param end The position after the last byte.
   */
  stream(
    start: number = 0,
    end: number = this.byteLength,
  ): ReadableStream<Uint8Array<ArrayBuffer>> {
    return byteStream(byteRange(this, start, end));
  }

  /**
   * Returns a copy of the bytes from `start` up to but excluding `end`.
   *
   * @param start The first byte's position.
   * @param end The position after the last byte.
   * @throws {RangeError} When the range is not within the archive.
   */
  slice(start: number = 0, end: number = this.byteLength): Uint8Array<ArrayBuffer> {
    if (!(0 <= start && start <= end && end <= this.byteLength)) {
      throw new RangeError(`No bytes ${start} to ${end} in an archive of ${this.byteLength}`);
    }
    const bytes = new Uint8Array(end - start);
    for (let done = 0; done < bytes.length;) {
      done += this.#copy(start + done, bytes.subarray(done));
    }
    return bytes;
  }

  /** Returns the SHA-256 of the archive in hexadecimal. Loads the complete archive into memory. */
  async sha256(): Promise<string> {
    const digest = await crypto.subtle.digest("SHA-256", this.slice());
    return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0"))
      .join("");
  }

  /** Copies from the section of the gzip layer at `position`; returns the number of bytes. */
  #copy(position: number, target: Uint8Array): number {
    const trailerStart = this.byteLength - GZIP_TRAILER;
    if (position < this.#gzipHeader.length) return copy(this.#gzipHeader, position, target);
    if (position >= trailerStart) return copy(this.#gzipTrailer, position - trailerStart, target);

    const deflatePosition = position - this.#gzipHeader.length;
    const block = Math.floor(deflatePosition / (STORED_HEADER + STORED_BLOCK));
    const offset = deflatePosition % (STORED_HEADER + STORED_BLOCK);
    const isLast = (block + 1) * STORED_BLOCK >= this.#tarLength;
    if (offset < STORED_HEADER) {
      return copy(isLast ? this.#lastBlockHeader : FULL_BLOCK_HEADER, offset, target);
    }
    const tarPosition = block * STORED_BLOCK + offset - STORED_HEADER;
    const blockEnd = Math.min((block + 1) * STORED_BLOCK, this.#tarLength);
    return this.#copyTar(tarPosition, target.subarray(0, blockEnd - tarPosition));
  }

  /** Copies from the section of the tar layer at `position`; returns the number of bytes. */
  #copyTar(position: number, target: Uint8Array): number {
    if (position < this.#beforeWeights.length) return copy(this.#beforeWeights, position, target);
    const weight = position - this.#beforeWeights.length;
    const weightsLeft = this.#weightsLength - weight;
    if (weightsLeft <= 0) return target.length; // The end of the tar is zeros, as new memory is.
    const from = (this.#phase + weight) % PATTERN_BYTES;
    return copy(weightsPattern(), from, target.subarray(0, weightsLeft));
  }

  #tarCrc32(): number {
    const start = weightsPattern().subarray(this.#phase);
    const periodCrc = crc32(weightsPattern().subarray(0, this.#phase), crc32(start));
    const periods = Math.floor(this.#weightsLength / PATTERN_BYTES);
    const whole = repeatCrc32(periodCrc, PATTERN_BYTES, periods);
    const rest = this.#weightsLength % PATTERN_BYTES;
    const restCrc = crc32(
      weightsPattern().subarray(0, Math.max(0, rest - start.length)),
      crc32(start.subarray(0, rest)),
    );
    const weights = combineCrc32(whole, restCrc, rest);
    const beforeEnd = combineCrc32(crc32(this.#beforeWeights), weights, this.#weightsLength);
    return crc32(new Uint8Array(TAR_END), beforeEnd);
  }
}

/** Returns a gzip header; a comment extends it to `length` (RFC 1952 section 2.3.1). */
function gzipHeader(length: number): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(length).fill(0x2e, GZIP_HEADER);
  const hasComment = length > GZIP_HEADER;
  header.set([0x1f, 0x8b, 8, hasComment ? 0x10 : 0, 0, 0, 0, 0, 0, 255]);
  if (hasComment) header[length - 1] = 0;
  return header;
}

const FULL_BLOCK_HEADER = blockHeader(STORED_BLOCK, false);

function blockHeader(length: number, isLast: boolean): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(STORED_HEADER);
  const view = new DataView(header.buffer);
  view.setUint8(0, isLast ? 1 : 0);
  view.setUint16(1, length, true);
  view.setUint16(3, ~length & 0xffff, true);
  return header;
}

function copy(source: Uint8Array, from: number, target: Uint8Array): number {
  const bytes = source.subarray(from, from + target.length);
  target.set(bytes);
  return bytes.length;
}

function floorTo(unit: number, value: number): number {
  return Math.floor(value / unit) * unit;
}
