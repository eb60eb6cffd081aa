// This module is browser compatible.

/** The first bytes of a gzip file (RFC 1952, section 2.3.1). */
const GZIP_MAGIC = [0x1f, 0x8b] as const;

/** A stream's two sides, such as a `DecompressionStream`. */
export type ByteTransform = ReadableWritablePair<Uint8Array, Uint8Array>;

/** The `DecompressionStream` of the platform: in browsers, for a single gzip member. */
export function decompressionStream(): ByteTransform {
  const { readable, writable } = new DecompressionStream("gzip");
  // Its writable side takes more than the bytes that come here.
  return { readable, writable: writable as WritableStream<Uint8Array> };
}

/**
 * The tar archive in a `.tar.gz`, or in one that is not compressed, or no longer: where a server says
 * `Content-Encoding: gzip`, `fetch` has unpacked it already. The first bytes tell.
 *
 * @param packed The bytes as they arrive.
 * @param gunzip Makes what unpacks them.
 */
export async function unpacked(
  packed: ReadableStream<Uint8Array>,
  gunzip: () => ByteTransform,
): Promise<ReadableStream<Uint8Array>> {
  const reader = packed.getReader();
  const chunks: Uint8Array[] = [];
  const first: number[] = [];
  while (first.length < GZIP_MAGIC.length) {
    const { value } = await reader.read();
    if (value === undefined) break;
    chunks.push(value);
    first.push(...value.subarray(0, GZIP_MAGIC.length));
  }
  reader.releaseLock();
  const whole = packed.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(chunk);
      },
    }),
  );
  return GZIP_MAGIC.every((byte, index) => first[index] === byte)
    ? whole.pipeThrough(gunzip())
    : whole;
}
