import { HpcaiError } from "./errors.ts";

/**
 * Loads a module of this package that only some apps need.
 *
 * @throws {HpcaiError} if it cannot be loaded: the page is offline or belongs to an older deployment, or
 * files of the package are missing.
 */
export async function loadModule<M>(load: () => Promise<M>): Promise<M> {
  try {
    return await load();
  } catch (cause) {
    throw new HpcaiError("Cannot load a module of @hpcai/rx", {
      advice: "Reload the page, or install the package again.",
      cause,
    });
  }
}
