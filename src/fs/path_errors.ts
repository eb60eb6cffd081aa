import { HpcaiError, InvalidArgumentError } from "../errors.ts";

/** Something exists at a path, and the option `overwrite` would replace it. */
export class PathExistsError extends InvalidArgumentError {
  /** The name of the class. */
  override name = "PathExistsError";
}

/** Gives an error of the file system the path that it is about. */
export function toPathError(failed: string, error: unknown): unknown {
  if (error instanceof HpcaiError || !(error instanceof Error)) return error;
  return new HpcaiError(`${failed}: ${error.message}`, { cause: error });
}
