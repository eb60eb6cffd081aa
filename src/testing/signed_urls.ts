// This module is browser compatible.

import { hashText } from "./seeded_random.ts";

/** Where signed URLs point, below the storage's origin. */
export const STORAGE_PATH = "/archives/";

/** What a signed URL is good for. */
export interface StoredObject {
  readonly trainingRunId: string;
  readonly checkpointId: string;
}

/** Gives out URLs that open an archive for a while, and checks those that come back. */
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

  /** Makes all URLs given out so far expire. */
  expireAll(): void {
    this.#expiredThrough = this.#issued;
  }

  /** What a URL is good for, or why it is good for nothing. */
  open(url: URL): StoredObject | "expired" | "forged" {
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
    // Two halves, one hash is only 32 bits: long enough to look like what it stands for.
    return ["a", "b"].map((salt) =>
      hashText(salt + signed.join("\n")).toString(16).padStart(8, "0")
    ).join("");
  }
}
