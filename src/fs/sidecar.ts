import { readFile, rm, writeFile } from "node:fs/promises";
import * as v from "valibot";
import type { CheckpointIds } from "../types.ts";

/**
 * Says which archive the bytes of a file are of. Holds what names the archive and no more: never a
 * URL, never a key.
 */
export interface Sidecar extends CheckpointIds {
  /** The archive's strong entity tag, quotes included. */
  readonly etag: string;
  /** How many bytes the archive has, if the server said so. */
  readonly total?: number | undefined;
  /** When the whole file was last written to, in milliseconds since 1970: tells an edit. */
  readonly mtimeMs?: number | undefined;
}

const schema: v.GenericSchema<unknown, Sidecar> = v.object({
  trainingRunId: v.string(),
  checkpointId: v.string(),
  etag: v.pipe(v.string(), v.startsWith('"')),
  total: v.optional(v.number()),
  mtimeMs: v.optional(v.number()),
});

/** Reads the sidecar of an archive; `undefined` where there is none, or one of something else. */
export async function readSidecar(
  path: string,
  { trainingRunId, checkpointId }: CheckpointIds,
): Promise<Sidecar | undefined> {
  try {
    const sidecar = v.parse(schema, JSON.parse(await readFile(path, "utf8")));
    // Of two archives a server may make the same tag, such as nginx of length and time.
    const isItsOwn = sidecar.trainingRunId === trainingRunId &&
      sidecar.checkpointId === checkpointId;
    return isItsOwn ? sidecar : undefined;
  } catch {
    return undefined; // Half a sidecar is as good as none.
  }
}

/** Writes a sidecar. */
export async function writeSidecar(path: string, sidecar: Sidecar): Promise<void> {
  await writeFile(path, `${JSON.stringify(sidecar)}\n`);
}

/** Removes a sidecar, if there is one. */
export async function removeSidecar(path: string): Promise<void> {
  await rm(path, { force: true });
}
