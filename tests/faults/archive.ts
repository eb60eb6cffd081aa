/** The archives of the fault suite: real `.tar.gz` files with known inner boundaries. */
import { constants, deflateRawSync, gunzipSync } from "node:zlib";
import { concatenate } from "../../src/testing/concatenate.ts";
import { crc32 } from "../../src/testing/crc32.ts";
import { type SeededRandom, seededRandom } from "../../src/testing/seeded_random.ts";
import { TAR_BLOCK, TAR_END, tarEntry } from "../../src/testing/tar_header.ts";
import { sha256 } from "../sha256.ts";

/** An archive, and the positions at which a cut leaves bytes that look complete. */
export interface SourceArchive {
  /** The `.tar.gz`. */
  readonly gzip: Uint8Array<ArrayBuffer>;
  /** The decompressed archive. */
  readonly tar: Uint8Array<ArrayBuffer>;
  /** The SHA-256 of each file, by name. */
  readonly files: ReadonlyMap<string, string>;
  /** The positions in `gzip` at which a DEFLATE block ends on a byte boundary. */
  readonly blockEnds: readonly number[];
  /** The position in `gzip` at which the two zero blocks that end the tar are complete. */
  readonly tarEnd: number;
}

/** The archives that a server has one after the other. */
export interface ArchiveVersions {
  readonly first: SourceArchive;
  /** Other weights, with the length of the first archive. */
  readonly sameLength: SourceArchive;
  /** Of another length. */
  readonly otherLength: SourceArchive;
}

/** RFC 1952, section 2.3: no flags, no time. */
const GZIP_HEADER = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/** CRC-32 and length, at the end of a gzip member. */
export const GZIP_TRAILER_BYTES = 8;

/** GNU tar pads an archive with zeros to a multiple of this. */
const TAR_RECORD_BYTES = 20 * TAR_BLOCK;

const SIZES = [100_000, 180_000, 310_000, 600_000];

let cachedSets: readonly ArchiveVersions[] | undefined;

/** The archives from which schedules choose. */
export function archiveSets(): readonly ArchiveVersions[] {
  return cachedSets ??= SIZES.map((bytes, index) => {
    // Half of the sets are stored, half are compressed.
    const level = index % 2 === 0 ? 0 : 6;
    const first = sourceArchive(4 * index, bytes, level);
    const sameLength = sourceArchive(4 * index + 1, bytes, level);
    if (sameLength.gzip.length !== first.gzip.length) {
      throw new Error("The archives must have equal lengths");
    }
    return { first, sameLength, otherLength: sourceArchive(4 * index + 2, bytes + 50_000, level) };
  });
}

/** Makes an archive of a LoRA adapter; its weights depend on the seed alone. */
function sourceArchive(seed: number, weightBytes: number, level: number): SourceArchive {
  const entries: [name: string, bytes: Uint8Array<ArrayBuffer>][] = [
    ["adapter_config.json", new TextEncoder().encode('{"peft_type": "LORA"}\n'.repeat(200))],
    ["weights/adapter_model.safetensors", randomBytes(seededRandom(seed), weightBytes)],
    ["README.md", new TextEncoder().encode("# LoRA adapter\n")],
  ];
  const parts: [bytes: Uint8Array, level: number][] = entries.flatMap(([name, bytes]) => {
    const entry = tarEntry(name, bytes, 1_700_000_000);
    const half = TAR_BLOCK + Math.floor((entry.length - TAR_BLOCK) / 2);
    // Weights are stored, so that their length does not depend on their values.
    const contentLevel = bytes.length === weightBytes ? 0 : level;
    return [
      [entry.slice(0, TAR_BLOCK), level],
      [entry.slice(TAR_BLOCK, half), contentLevel],
      [entry.slice(half), contentLevel],
    ];
  });
  parts.push([new Uint8Array(TAR_END), level]);
  const length = parts.reduce((sum, [{ length }]) => sum + length, 0);
  const padding = new Uint8Array(Math.ceil(length / TAR_RECORD_BYTES) * TAR_RECORD_BYTES - length);
  const tar = concatenate([...parts.map(([bytes]) => bytes), padding]);

  // A full flush ends a block on a byte boundary and resets the dictionary.
  const blocks = parts.map(([bytes, level]) => deflate(bytes, level, constants.Z_FULL_FLUSH));
  const blockEnds: number[] = [];
  let end = GZIP_HEADER.length;
  for (const block of blocks) blockEnds.push(end += block.length);
  const trailer = new Uint8Array(GZIP_TRAILER_BYTES);
  new DataView(trailer.buffer).setUint32(0, crc32(tar), true);
  new DataView(trailer.buffer).setUint32(4, tar.length, true);
  return {
    gzip: concatenate([
      Uint8Array.from(GZIP_HEADER),
      ...blocks,
      deflate(padding, level, constants.Z_FINISH),
      trailer,
    ]),
    tar,
    files: new Map(entries.map(([name, bytes]) => [name, sha256(bytes)])),
    blockEnds,
    tarEnd: end,
  };
}

function deflate(bytes: Uint8Array, level: number, finishFlush: number): Uint8Array {
  return deflateRawSync(bytes, { level, finishFlush });
}

function randomBytes(random: SeededRandom, length: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let at = 0; at < words.length; at++) words[at] = random.int(2 ** 32);
  return new Uint8Array(words.buffer, 0, length);
}

/** Whether two arrays have the same bytes. */
export function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && sha256(one) === sha256(other);
}

/** Whether `bytes` is a non-empty, incomplete beginning of `complete`. */
export function isBeginning(bytes: Uint8Array, complete: Uint8Array): boolean {
  return bytes.length > 0 && bytes.length < complete.length &&
    isEqual(bytes, complete.subarray(0, bytes.length));
}

/** Whether `bytes` equals `tar`, except for zeros after its end. */
export function isSameTar(bytes: Uint8Array, tar: Uint8Array): boolean {
  const end = tar.findLastIndex((byte) => byte !== 0) + TAR_END;
  return bytes.length >= end && isEqual(bytes, tar.subarray(0, bytes.length));
}

/** Whether a file is the tar of an archive, compressed with another compressor. */
export function isRecompressed(bytes: Uint8Array, { gzip, tar }: SourceArchive): boolean {
  try {
    return isSameTar(gunzipSync(bytes), tar) && !isBeginning(gzip, bytes);
  } catch {
    return false;
  }
}
