import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { readBytes } from "./regular_file.ts";

/** Computes the SHA-256 of a file, or nothing where it is disabled. */
export interface FileDigest {
  /** Adds the next bytes. */
  update(bytes: Uint8Array): void;
  /** Adds the first bytes of an open file. Fails once the signal aborts. */
  updateFrom(file: FileHandle, byteLength: number, signal: AbortSignal): Promise<void>;
  /** Returns the SHA-256 of all bytes so far in lower-case hex; `undefined` where it is disabled. */
  sha256(): string | undefined;
}

/** Makes the digest of no bytes. */
export function fileDigest(isEnabled: boolean): FileDigest {
  if (!isEnabled) {
    return { update: () => {}, updateFrom: () => Promise.resolve(), sha256: () => undefined };
  }
  const hash = createHash("sha256");
  return {
    update: (bytes) => void hash.update(bytes),
    async updateFrom(file, byteLength, signal) {
      for await (const chunk of readBytes(file, byteLength, signal)) hash.update(chunk);
    },
    sha256: () => hash.copy().digest("hex"),
  };
}
