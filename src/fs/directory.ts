import { open } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Makes sure that the name of a file outlives a power failure, where the system can do that for a
 * directory: Windows cannot, nor can some network file systems.
 */
export async function syncDirectory(path: string): Promise<void> {
  try {
    const directory = await open(dirname(path));
    await directory.sync().finally(() => directory.close());
  } catch {
    // The file is there all the same.
  }
}
