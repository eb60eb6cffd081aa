// This module is browser compatible.

import { hashText } from "./seeded_random.ts";

/** The path of signed URLs, below the storage's origin. */
export const STORAGE_PATH = "/archives/";

/** The archive that a signed URL gives access to. */
export interface StoredObject {
  readonly trainingRunId: string;
  readonly checkpointId: string;
}

/** Issues and verifies URLs that give access to an archive for a limited time. */
export class SignedUrls {
  readonly #seed: number;
  readonly #ttlMs: number;
  readonly #now: () => number;
  #issued = 0;
  #expiredThrough = 0;

  constructor(seed: number, ttlMs: number, now: () => number) {
    this.#seed = seed;
    this.#ttlMs = ttlMs;
    this.#now = now;
  }

  issue(
    origin: string,
    { trainingRunId, checkpointId }: StoredObject,
  ): { url: URL; expires: Date } {
    const path = [trainingRunId, checkpointId].map(encodeURIComponent).join("/");
    const url = new URL(`${STORAGE_PATH}${path}.tar.gz`, origin);
    const expires = new Date(this.#now() + this.#ttlMs);
    url.searchParams.set("expires", String(expires.getTime()));
    url.searchParams.set("serial", String(++this.#issued));
    url.searchParams.set("signature", this.#signature(url));
    return { url, expires };
  }

  /** Makes all URLs issued so far expire. */
  expireAll(): void {
    this.#expiredThrough = this.#issued;
  }

  /** Returns the archive that `url` gives access to, or the reason why it gives none. */
  verify(url: URL): StoredObject | "expired" | "forged" {
    if (url.searchParams.get("signature") !== this.#signature(url)) return "forged";
    const isExpired = Number(url.searchParams.get("serial")) <= this.#expiredThrough ||
      Number(url.searchParams.get("expires")) <= this.#now();
    if (isExpired) return "expired";
    const path = url.pathname.slice(STORAGE_PATH.length).replace(/\.tar\.gz$/, "");
    const [trainingRunId = "", checkpointId = ""] = path.split("/").map(decodeURIComponent);
    return { trainingRunId, checkpointId };
  }

  #signature({ pathname, searchParams }: URL): string {
    const signed = [this.#seed, pathname, searchParams.get("expires"), searchParams.get("serial")];
    // Two 32-bit hashes, so that the signature has a realistic length.
    return ["a", "b"].map((salt) =>
      hashText(salt + signed.join("\n")).toString(16).padStart(8, "0")
    ).join("");
  }
}
