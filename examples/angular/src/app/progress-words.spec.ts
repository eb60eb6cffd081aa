import { describe, expect, it } from "vitest";
import { byteSize, progressWords } from "./progress-words";

describe("progressWords", () => {
  const progress = { type: "progress", loaded: 22_800_000, total: 67_108_864 } as const;

  it("contains sizes, rate and time left", () => {
    const event = { ...progress, bytesPerSecond: 8_388_608, remainingMs: 5_281 };
    expect(progressWords(event)).toBe("22.8 MB of 67.1 MB · 8.39 MB/s · 6 s left");
  });

  it("omits unknown values", () => {
    const event = { ...progress, total: undefined, bytesPerSecond: 0, remainingMs: undefined };
    expect(progressWords(event)).toBe("22.8 MB");
  });

  it.each([
    [59_000, "59 s"],
    [61_000, "2 min"],
    [4_800_000, "1 h 20 min"],
  ])("formats %d ms as %s", (remainingMs, words) => {
    expect(progressWords({ ...progress, bytesPerSecond: 0, remainingMs })).toContain(words);
  });

  it("reports that the server builds the archive", () => {
    const unknown = { total: undefined, bytesPerSecond: 0, remainingMs: undefined };
    expect(progressWords({ type: "preparing", loaded: 0, retryInMs: 1000, ...unknown }))
      .toBe("The server is building the archive");
  });
});

describe("byteSize", () => {
  it.each([
    [0, "0 byte"],
    [999, "999 byte"],
    [1000, "1 kB"],
    [2 ** 31, "2.15 GB"],
  ])("formats %d bytes as %s", (bytes, words) => {
    expect(byteSize(bytes)).toBe(words);
  });
});
