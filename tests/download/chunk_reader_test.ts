import { assertEquals } from "@std/assert";
import type { ChunkUse } from "../../src/download/archive_sink.ts";
import { chunkReader } from "../../src/download/chunk_reader.ts";

function byteStream(...chunks: number[][]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    type: "bytes",
    pull(controller) {
      const chunk = chunks.shift();
      if (chunk !== undefined) return controller.enqueue(new Uint8Array(chunk));
      controller.close();
      controller.byobRequest?.respond(0);
    },
  });
}

async function readAll(body: ReadableStream<Uint8Array>, use?: ChunkUse) {
  const reader = chunkReader(body, use);
  const read: number[][] = [];
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    read.push([...next.value]);
  }
  return read;
}

for (const use of ["borrowed", "kept", undefined] as const) {
  Deno.test(`chunkReader reads a byte stream to its end, chunks ${use ?? "passed on"}`, async () => {
    assertEquals(await readAll(byteStream([1, 2], [3]), use), [[1, 2], [3]]);
  });
}

Deno.test("chunkReader reads borrowed chunks into one buffer", async () => {
  const reader = chunkReader(byteStream([1], [2]), "borrowed");
  const { value: first } = await reader.read();
  const { value: second } = await reader.read();
  // The memory of the first chunk was transferred, which leaves it empty.
  assertEquals([first?.byteLength, second?.byteLength], [0, 1]);
});

Deno.test("chunkReader copies chunks that are kept", async () => {
  const reader = chunkReader(byteStream([1], [2]), "kept");
  const { value: first } = await reader.read();
  await reader.read();
  assertEquals(first, new Uint8Array([1]));
});

Deno.test("chunkReader reads a stream that is not a byte stream", async () => {
  assertEquals(await readAll(new Blob([new Uint8Array([1])]).stream(), "kept"), [[1]]);
  const plain = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new Uint8Array([7]));
      controller.close();
    },
  });
  assertEquals(await readAll(plain, "kept"), [[7]]);
});

Deno.test("chunkReader cancels the rest, for each use of the chunks", async () => {
  for (const use of ["borrowed", "kept", undefined] as const) {
    let isCancelled = false;
    const body = new ReadableStream<Uint8Array>({
      type: "bytes",
      cancel: () => {
        isCancelled = true;
      },
    });
    await chunkReader(body, use).cancel();
    assertEquals(isCancelled, true);
  }
});
