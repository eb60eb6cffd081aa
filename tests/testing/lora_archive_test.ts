import { assert, assertEquals, assertMatch, assertNotEquals, assertThrows } from "@std/assert";
import { combineCrc32, crc32, repeatCrc32 } from "../../src/testing/crc32.ts";
import { LoraArchive } from "../../src/testing/lora_archive.ts";
import { tarHeader } from "../../src/testing/tar_header.ts";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

function archive(byteLength: number, name = "run/final"): LoraArchive {
  return new LoraArchive({
    byteLength,
    name,
    baseModel: "Qwen/Qwen3-8B",
    rank: 32,
    mtime: 1_767_780_000,
  });
}

/** Pipes a stream to a program; returns its output and fails unless it succeeds. */
async function pipeTo(
  stream: ReadableStream<Uint8Array>,
  program: string,
  ...args: string[]
): Promise<string> {
  const child = new Deno.Command(program, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const [{ success, stdout, stderr }] = await Promise.all([
    child.output(),
    stream.pipeTo(child.stdin),
  ]);
  assert(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

Deno.test("LoraArchive has the exact byteLength and is a valid gzip file", async () => {
  const aroundStoredBlocks = Array.from({ length: 12 }, (_, i) => 3 * 65_540 + 12 + i);
  for (const byteLength of [16_384, 16_385, 17_001, ...aroundStoredBlocks, MIB, 5_000_001]) {
    const bytes = archive(byteLength).slice();
    assertEquals(bytes.length, byteLength);
    await pipeTo(new Blob([bytes]).stream(), "gzip", "-t");
  }
});

Deno.test("LoraArchive fills every remainder with the gzip comment", () => {
  for (let byteLength = 200_000; byteLength < 200_600; byteLength += 3) {
    const lora = archive(byteLength);
    const trailer = new DataView(lora.slice(byteLength - 8).buffer);
    assertEquals(trailer.getUint32(4, true) % 512, 0);
    assertEquals(lora.slice().length, byteLength);
  }
});

Deno.test("stream of 64 MiB matches the checksum of its gzip trailer", async () => {
  await pipeTo(archive(64 * MIB).stream(), "gzip", "-t");
});

Deno.test("tar lists the files of an adapter", async () => {
  const listing = await pipeTo(archive(MIB).stream(), "tar", "tzf", "-");
  assertEquals(listing.trim().split("\n"), [
    "README.md",
    "adapter_config.json",
    "special_tokens_map.json",
    "tokenizer_config.json",
    "adapter_model.safetensors",
  ]);
});

Deno.test("Python reads the configuration of the adapter, and tensors that cover the file", async () => {
  const script = `
import io, json, math, struct, sys, tarfile
tar = tarfile.open(fileobj=io.BytesIO(sys.stdin.buffer.read()), mode="r:gz")
config = json.load(tar.extractfile("adapter_config.json"))
for name in ("special_tokens_map.json", "tokenizer_config.json"):
    json.load(tar.extractfile(name))
data = tar.extractfile("adapter_model.safetensors").read()
(length,) = struct.unpack("<Q", data[:8])
header = json.loads(data[8:8 + length])
assert header.pop("__metadata__") == {"format": "pt"}
end = 0
for name, tensor in header.items():
    start, next_end = tensor["data_offsets"]
    assert start == end and next_end - start == 2 * math.prod(tensor["shape"]), name
    end = next_end
assert 8 + length + end == len(data), (length, end, len(data))
print(config["base_model_name_or_path"], config["r"], config["peft_type"], len(header))
`;
  for (const byteLength of [16_384, MIB, 40 * MIB]) {
    const printed = await pipeTo(archive(byteLength).stream(), "python3", "-c", script);
    assertMatch(printed, /^Qwen\/Qwen3-8B 32 LORA \d+\n$/);
  }
});

Deno.test("slice equals the same range of the complete archive", () => {
  const lora = archive(3 * MIB + 77);
  const whole = lora.slice();
  // A stride that is coprime to block and pattern lengths reaches their edges at every phase.
  for (let start = 0; start < whole.length; start += 40_009) {
    for (const length of [1, 7, 65_541]) {
      const end = Math.min(start + length, whole.length);
      assertEquals(lora.slice(start, end), whole.slice(start, end));
    }
  }
});

Deno.test("stream has the same bytes as slice", async () => {
  const lora = archive(2 * MIB + 5);
  const bytes = await new Response(lora.stream(1_000, 1_500_000)).bytes();
  assertEquals(bytes, lora.slice(1_000, 1_500_000));
});

Deno.test("slice returns a copy", () => {
  const lora = archive(MIB);
  const before = lora.slice();
  lora.slice().fill(0);
  assertEquals(lora.slice(), before);
});

Deno.test("name determines the bytes and the ETag", () => {
  const [first, second] = [archive(MIB, "run/final"), archive(MIB, "run/step_0010")];
  assertNotEquals(first.slice(), second.slice());
  assertNotEquals(first.etag, second.etag);
});

Deno.test("slice of the end of 9 GiB has the length of the tar modulo 2^32", () => {
  const byteLength = 9 * GIB + 1;
  const lora = archive(byteLength);
  const tail = lora.slice(byteLength - MIB);
  const isize = new DataView(tail.buffer).getUint32(MIB - 4, true);
  const blocks = Math.ceil((byteLength - 18) / 65_540);
  const tarLength = Math.floor((byteLength - 18 - 5 * blocks) / 512) * 512;
  assertEquals(isize, tarLength % 2 ** 32);
});

Deno.test("Python reads a size above 8 GiB in the tar header", async () => {
  // The headers are in the first 64 KiB.
  const beginning = archive(9 * GIB).slice(0, 65_536);
  const script = `
import sys, tarfile, zlib
data = zlib.decompressobj(31).decompress(sys.stdin.buffer.read())
position = 0
while True:
    member = tarfile.TarInfo.frombuf(data[position:position + 512], "ascii", "strict")
    if member.name == "adapter_model.safetensors":
        break
    position += 512 + (member.size + 511) // 512 * 512
print(member.size)
`;
  const size = Number(await pipeTo(new Blob([beginning]).stream(), "python3", "-c", script));
  assert(size > 9 * GIB - 2 * MIB && size < 9 * GIB, String(size));
});

Deno.test("LoraArchive throws a RangeError with the minimum for a byteLength that is too small", () => {
  assertThrows(() => archive(4_000), RangeError, "at least 16384");
  assertThrows(() => archive(0), RangeError, "at least 16384");
});

Deno.test("slice throws a RangeError for a range outside the archive", () => {
  assertThrows(() => archive(MIB).slice(0, MIB + 1), RangeError, "No bytes 0 to 1048577");
  assertThrows(() => archive(MIB).slice(5, 4), RangeError, "No bytes 5 to 4");
});

Deno.test("sha256 is the SHA-256 of the streamed bytes", async () => {
  const lora = archive(MIB);
  const script = "import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())";
  const printed = await pipeTo(lora.stream(), "python3", "-c", script);
  assertEquals(await lora.sha256(), printed.trim());
});

Deno.test("crc32 has the check value of the CRC catalogue", () => {
  assertEquals(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
});

Deno.test("combineCrc32 is the CRC of the concatenated bytes", () => {
  const bytes = archive(16_384).slice();
  for (const cut of [0, 1, 511, 16_383, 16_384]) {
    const combined = combineCrc32(
      crc32(bytes.subarray(0, cut)),
      crc32(bytes.subarray(cut)),
      bytes.length - cut,
    );
    assertEquals(combined, crc32(bytes));
  }
});

Deno.test("repeatCrc32 is the CRC of the repeated bytes", () => {
  const one = new TextEncoder().encode("lora");
  for (const times of [0, 1, 2, 3, 1_000]) {
    const repeated = new TextEncoder().encode("lora".repeat(times));
    assertEquals(repeatCrc32(crc32(one), one.length, times), crc32(repeated));
  }
});

Deno.test("repeatCrc32 agrees with combineCrc32 beyond 4 GiB", () => {
  const [crc, length] = [0x12345678, 1_048_583];
  const whole = repeatCrc32(crc, length, 10_000);
  const parts = combineCrc32(
    repeatCrc32(crc, length, 3_333),
    repeatCrc32(crc, length, 6_667),
    6_667 * length,
  );
  assertEquals(whole, parts);
});

Deno.test("tarHeader encodes sizes from 8 GiB on in base 256", () => {
  assertEquals(
    new TextDecoder().decode(tarHeader("a", 8 ** 11 - 1, 0).slice(124, 135)),
    "7".repeat(11),
  );
  assertEquals([...tarHeader("a", 8 ** 11, 0).slice(124, 136)], [
    0x80,
    0,
    0,
    0,
    0,
    0,
    0,
    2,
    0,
    0,
    0,
    0,
  ]);
});
