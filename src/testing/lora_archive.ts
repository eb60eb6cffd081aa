// This module is browser compatible.

import { byteRange, byteStream } from "./byte_stream.ts";
import { combineCrc32, crc32, repeatCrc32 } from "./crc32.ts";
import { hashText } from "./seeded_random.ts";
import { TAR_BLOCK, tarHeader } from "./tar_header.ts";

/** The most bytes that a stored block holds (RFC 1951 section 3.2.4), and what stands before them. */
const STORED_BLOCK = 65_535;
const STORED_HEADER = 5;

/** Bytes of a gzip member's fixed header and of its trailer (RFC 1952 section 2.3). */
const GZIP_HEADER = 10;
const GZIP_TRAILER = 8;

/** Two blocks of zeros end a tar archive. */
const TAR_END = 2 * TAR_BLOCK;

/** BF16, the dtype of the tensors. */
const BYTES_PER_VALUE = 2;

/**
 * The tensors' bytes repeat after this many: a prime, so that no offset that goes wrong by a power
 * of two, a chunk or a block lands on equal bytes.
 */
const PATTERN_BYTES = 1_048_583;

/** The least `byteLength` that any archive of the fake's can have. */
export const MIN_ARCHIVE_BYTES = 16_384;

/** What a {@linkcode LoraArchive} is made of. */
export interface LoraArchiveOptions {
  /** The archive's length in bytes, met exactly. At least 16384. */
  readonly byteLength: number;
  /** Archives with another name hold other weights. */
  readonly name: string;
  /** The base model that `adapter_config.json` names. */
  readonly baseModel: string;
  /** The LoRA rank. */
  readonly rank: number;
  /** The files' time of modification, in seconds since 1970. */
  readonly mtime: number;
}

/**
 * The archive of a LoRA checkpoint: a real `.tar.gz` of exactly the length asked for, with an
 * adapter's configuration, its tokenizer's files and an `adapter_model.safetensors` that takes up
 * the rest.
 *
 * No byte is kept: each is computed from its position, so an archive of any length takes a few KiB
 * of memory and its last megabyte is as near as its first. The gzip layer stores without
 * compressing, as weights hardly compress anyway.
 *
 * @example
 * ```ts
 * import { FakeHpcai } from "@hpcai/rx/testing";
 *
 * const fake = new FakeHpcai({ archiveBytes: 2 * 1024 ** 3 });
 * const archive = fake.archive("eb78693b-380d-40f8-a709-ffe0da185718", "final");
 * const tail = archive.slice(archive.byteLength - 8, archive.byteLength);
 * console.log(tail.length); // 8: the gzip trailer
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
   * Lays the archive out.
   *
   * @param options Length and contents.
   * @throws {RangeError} When `byteLength` is too small for the files before the weights.
   */
  constructor(options: LoraArchiveOptions) {
    const { byteLength, rank, mtime } = options;
    const deflated = byteLength - GZIP_HEADER - GZIP_TRAILER;
    const blocks = Math.ceil(deflated / (STORED_BLOCK + STORED_HEADER));
    const tarLength = floorTo(TAR_BLOCK, deflated - blocks * STORED_HEADER);
    const config = configFiles(options).flatMap(([name, text]) => tarMember(name, text, mtime));
    const configLength = totalLength(config);
    const fileLength = tarLength - configLength - TAR_BLOCK - TAR_END;
    const safetensors = safetensorsHeader(fileLength, byteLength, rank);
    const weightsLength = fileLength - safetensors.length;
    // The narrowest layer is one value wide.
    const leastWeights = TENSORS_PER_LAYER * rank * BYTES_PER_VALUE;
    if (!(weightsLength >= leastWeights)) {
      const enough = ceilTo(TAR_BLOCK, byteLength - weightsLength + leastWeights) + TAR_BLOCK;
      throw new RangeError(
        `An archive of ${byteLength} bytes has no room for its weights; ` +
          `make it at least ${Math.max(MIN_ARCHIVE_BYTES, enough)}`,
      );
    }
    const header = tarHeader("adapter_model.safetensors", fileLength, mtime);

    this.byteLength = byteLength;
    this.#tarLength = tarLength;
    this.#beforeWeights = concat([...config, header, safetensors]);
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
   * The bytes as a stream that makes each chunk when it is asked for.
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
   * The bytes from `start` up to, not with, `end`, in fresh memory.
   *
   * @param start The first byte's position.
   * @param end The position after the last byte.
   * @throws {RangeError} When the two do not lie in order within the archive.
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

  /** The SHA-256 of the whole archive in hexadecimal. Takes the whole archive into memory. */
  async sha256(): Promise<string> {
    const digest = await crypto.subtle.digest("SHA-256", this.slice());
    return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0"))
      .join("");
  }

  /** Copies from the part of the gzip layer that `position` is in; returns how many bytes. */
  #copy(position: number, target: Uint8Array): number {
    const trailerStart = this.byteLength - GZIP_TRAILER;
    if (position < this.#gzipHeader.length) return copy(this.#gzipHeader, position, target);
    if (position >= trailerStart) return copy(this.#gzipTrailer, position - trailerStart, target);

    const deflated = position - this.#gzipHeader.length;
    const block = Math.floor(deflated / (STORED_HEADER + STORED_BLOCK));
    const within = deflated % (STORED_HEADER + STORED_BLOCK);
    const isLast = (block + 1) * STORED_BLOCK >= this.#tarLength;
    if (within < STORED_HEADER) {
      return copy(isLast ? this.#lastBlockHeader : FULL_BLOCK_HEADER, within, target);
    }
    const tarPosition = block * STORED_BLOCK + within - STORED_HEADER;
    const blockEnd = Math.min((block + 1) * STORED_BLOCK, this.#tarLength);
    return this.#copyTar(tarPosition, target.subarray(0, blockEnd - tarPosition));
  }

  /** Copies from the part of the tar layer that `position` is in; returns how many bytes. */
  #copyTar(position: number, target: Uint8Array): number {
    if (position < this.#beforeWeights.length) return copy(this.#beforeWeights, position, target);
    const weight = position - this.#beforeWeights.length;
    const weightsLeft = this.#weightsLength - weight;
    if (weightsLeft <= 0) return target.length; // The end of the tar: fresh memory is zeros already.
    const from = (this.#phase + weight) % PATTERN_BYTES;
    return copy(pattern(), from, target.subarray(0, weightsLeft));
  }

  #tarCrc32(): number {
    const start = pattern().subarray(this.#phase);
    const periodCrc = crc32(pattern().subarray(0, this.#phase), crc32(start));
    const periods = Math.floor(this.#weightsLength / PATTERN_BYTES);
    const whole = repeatCrc32(periodCrc, PATTERN_BYTES, periods);
    const rest = this.#weightsLength % PATTERN_BYTES;
    const restCrc = crc32(
      pattern().subarray(0, Math.max(0, rest - start.length)),
      crc32(start.subarray(0, rest)),
    );
    const weights = combineCrc32(whole, restCrc, rest);
    const beforeEnd = combineCrc32(crc32(this.#beforeWeights), weights, this.#weightsLength);
    return crc32(new Uint8Array(TAR_END), beforeEnd);
  }
}

/** Made once, on first use: the same for all archives, each of which begins elsewhere in it. */
let patternBytes: Uint8Array<ArrayBuffer> | undefined;

function pattern(): Uint8Array<ArrayBuffer> {
  return patternBytes ??= makePattern();
}

function makePattern(): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(PATTERN_BYTES / 4));
  let state = 0x2545f491; // xorshift32: any start but 0 does.
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, PATTERN_BYTES);
}

/** A fixed gzip header, brought to `length` by a comment. */
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

function tarMember(name: string, text: string, mtime: number): Uint8Array<ArrayBuffer>[] {
  const bytes = new TextEncoder().encode(text);
  const padded = new Uint8Array(ceilTo(TAR_BLOCK, bytes.length));
  padded.set(bytes);
  return [tarHeader(name, bytes.length, mtime), padded];
}

function configFiles({ baseModel, rank }: LoraArchiveOptions): [name: string, text: string][] {
  const json = (value: unknown) => JSON.stringify(value, null, 2) + "\n";
  const endOfText = { content: "<|endoftext|>", lstrip: false, rstrip: false, normalized: false };
  return [
    [
      "README.md",
      `---\nbase_model: ${baseModel}\nlibrary_name: peft\n---\n\n# LoRA adapter for ${baseModel}\n`,
    ],
    [
      "adapter_config.json",
      json({
        base_model_name_or_path: baseModel,
        bias: "none",
        fan_in_fan_out: false,
        inference_mode: true,
        init_lora_weights: true,
        lora_alpha: 2 * rank,
        lora_dropout: 0,
        modules_to_save: ["norm"],
        peft_type: "LORA",
        r: rank,
        target_modules: TARGET_MODULES,
        task_type: "CAUSAL_LM",
        use_rslora: false,
      }),
    ],
    ["special_tokens_map.json", json({ eos_token: endOfText, pad_token: endOfText })],
    [
      "tokenizer_config.json",
      json({
        eos_token: "<|endoftext|>",
        model_max_length: 131_072,
        pad_token: "<|endoftext|>",
        tokenizer_class: "PreTrainedTokenizerFast",
      }),
    ],
  ];
}

const TARGET_MODULES = ["q_proj", "v_proj"];
const TENSORS_PER_LAYER = TARGET_MODULES.length * 2;

/** The start of a safetensors file: the JSON's length (8 bytes, little endian) and the JSON. */
function safetensorsHeader(
  fileLength: number,
  byteLength: number,
  rank: number,
): Uint8Array<ArrayBuffer> {
  // Up to 36 layers, as Qwen3-8B has; a small archive would be all header with that many.
  const layers = Math.min(36, 1 + Math.floor(byteLength / 2 ** 20));
  const json = (length: number) => JSON.stringify(tensors(length, layers, rank));
  // The JSON for the shorter rest differs by a few digits at most; the padding has room for them.
  const headerLength = ceilTo(TAR_BLOCK, 8 + json(fileLength).length + 16);
  const header = new Uint8Array(headerLength).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(headerLength - 8), true);
  header.set(new TextEncoder().encode(json(fileLength - headerLength)), 8);
  return header;
}

/** LoRA's A and B for each target module of each layer, and a norm that takes what is left. */
function tensors(length: number, layers: number, rank: number): Record<string, unknown> {
  const width = Math.floor(length / (layers * TENSORS_PER_LAYER * rank * BYTES_PER_VALUE));
  const tensors: Record<string, unknown> = { __metadata__: { format: "pt" } };
  let offset = 0;
  const add = (name: string, shape: number[]) => {
    const end = offset + shape.reduce((product, size) => product * size, BYTES_PER_VALUE);
    tensors[`base_model.model.model.${name}`] = {
      dtype: "BF16",
      shape,
      data_offsets: [offset, end],
    };
    offset = end;
  };
  for (let layer = 0; layer < layers; layer++) {
    for (const module of TARGET_MODULES) {
      add(`layers.${layer}.self_attn.${module}.lora_A.weight`, [rank, width]);
      add(`layers.${layer}.self_attn.${module}.lora_B.weight`, [width, rank]);
    }
  }
  add("norm.weight", [(length - offset) / BYTES_PER_VALUE]);
  return tensors;
}

function copy(source: Uint8Array, from: number, target: Uint8Array): number {
  const part = source.subarray(from, from + target.length);
  target.set(part);
  return part.length;
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(totalLength(parts));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function totalLength(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

function floorTo(unit: number, value: number): number {
  return Math.floor(value / unit) * unit;
}

function ceilTo(unit: number, value: number): number {
  return Math.ceil(value / unit) * unit;
}
