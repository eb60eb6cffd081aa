/** The archives that the fault suite serves: real `.tar.gz` whose inner boundaries are known. */
import { createHash } from "node:crypto";
import { constants, deflateRawSync, gunzipSync } from "node:zlib";
import { crc32 } from "../../src/testing/crc32.ts";
import { type SeededRandom, seededRandom } from "../../src/testing/seeded_random.ts";
import { TAR_BLOCK, tarHeader } from "../../src/testing/tar_header.ts";

/** An archive, and where in it a response can be cut so that what is left looks complete. */
export interface SourceArchive {
  /** The `.tar.gz`. */
  readonly packed: Uint8Array<ArrayBuffer>;
  /** The tar in it. */
  readonly tar: Uint8Array<ArrayBuffer>;
  /** The SHA-256 of each file in it, by name. */
  readonly files: ReadonlyMap<string, string>;
  /** Positions in `packed` at which a DEFLATE block ends on a byte boundary. */
  readonly blockEnds: readonly number[];
  /** The position in `packed` at which the two zero blocks that end the tar are complete. */
  readonly tarEnd: number;
}

/** What a server has at one time or another. */
export interface ArchiveVersions {
  readonly first: SourceArchive;
  /** As long as the first one, with other weights. */
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

let sets: readonly ArchiveVersions[] | undefined;

/** The archives that schedules choose from. */
export function archiveSets(): readonly ArchiveVersions[] {
  return sets ??= SIZES.map((bytes, index) => {
    // Half of them stored, half compressed.
    const level = index % 2 === 0 ? 0 : 6;
    const first = sourceArchive(4 * index, bytes, level);
    const sameLength = sourceArchive(4 * index + 1, bytes, level);
    if (sameLength.packed.length !== first.packed.length) {
      throw new Error("The archives differ in length");
    }
    return { first, sameLength, otherLength: sourceArchive(4 * index + 2, bytes + 50_000, level) };
  });
}

/** Makes an archive of a LoRA adapter, whose weights depend on the seed alone. */
function sourceArchive(seed: number, weightBytes: number, level: number): SourceArchive {
  const members: [name: string, bytes: Uint8Array<ArrayBuffer>][] = [
    ["adapter_config.json", new TextEncoder().encode('{"peft_type": "LORA"}\n'.repeat(200))],
    ["weights/adapter_model.safetensors", randomBytes(seededRandom(seed), weightBytes)],
    ["README.md", new TextEncoder().encode("# LoRA adapter\n")],
  ];
  const parts: [bytes: Uint8Array, level: number][] = members.flatMap(([name, bytes]) => {
    const padded = new Uint8Array(Math.ceil(bytes.length / TAR_BLOCK) * TAR_BLOCK);
    padded.set(bytes);
    const half = Math.floor(padded.length / 2);
    // Weights are stored, so that they take as many bytes whatever they are.
    const memberLevel = bytes.length === weightBytes ? 0 : level;
    const header = tarHeader(name, bytes.length, 1_700_000_000);
    return [
      [header, level],
      [padded.slice(0, half), memberLevel],
      [padded.slice(half), memberLevel],
    ];
  });
  parts.push([new Uint8Array(2 * TAR_BLOCK), level]);
  const length = parts.reduce((sum, [{ length }]) => sum + length, 0);
  const padding = new Uint8Array(Math.ceil(length / TAR_RECORD_BYTES) * TAR_RECORD_BYTES - length);
  const tar = concatenate([...parts.map(([bytes]) => bytes), padding]);

  // A full flush ends a block on a byte boundary and forgets what came before.
  const blocks = parts.map(([bytes, level]) => deflate(bytes, level, constants.Z_FULL_FLUSH));
  const blockEnds: number[] = [];
  let end = GZIP_HEADER.length;
  for (const block of blocks) blockEnds.push(end += block.length);
  const trailer = new Uint8Array(GZIP_TRAILER_BYTES);
  new DataView(trailer.buffer).setUint32(0, crc32(tar), true);
  new DataView(trailer.buffer).setUint32(4, tar.length, true);
  return {
    packed: concatenate([
      Uint8Array.from(GZIP_HEADER),
      ...blocks,
      deflate(padding, level, constants.Z_FINISH),
      trailer,
    ]),
    tar,
    files: new Map(members.map(([name, bytes]) => [name, sha256(bytes)])),
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

function concatenate(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** The SHA-256 in lower-case hex. */
export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Whether two arrays have the same bytes. */
export function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && sha256(one) === sha256(other);
}

/** Whether there are some bytes, and they are the first ones of others, but not all. */
export function isBeginning(bytes: Uint8Array, whole: Uint8Array): boolean {
  return bytes.length > 0 && bytes.length < whole.length &&
    isEqual(bytes, whole.subarray(0, bytes.length));
}

/** Whether a tar is another one, but perhaps for zeros after the blocks that end it. */
export function isSameTar(bytes: Uint8Array, tar: Uint8Array): boolean {
  const end = tar.findLastIndex((byte) => byte !== 0) + 2 * TAR_BLOCK;
  return bytes.length >= end && isEqual(bytes, tar.subarray(0, bytes.length));
}

/** Whether a file is the tar of an archive, compressed by another compressor. */
export function isPackedAgain(bytes: Uint8Array, { packed, tar }: SourceArchive): boolean {
  try {
    return isSameTar(gunzipSync(bytes), tar) && !isBeginning(packed, bytes);
  } catch {
    return false;
  }
}
