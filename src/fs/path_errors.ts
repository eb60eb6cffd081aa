import { HpcaiError, InvalidArgumentError } from "../errors.ts";
import { errnoOf } from "./errno.ts";

/** A file or directory exists at a path, and the option `overwrite` would replace it. */
export class PathExistsError extends InvalidArgumentError {
  /** The name of the class. */
  override name = "PathExistsError";
}

/** Why an operation of the file system failed, and what to do next. */
interface PathFailure {
  readonly reason: string;
  readonly advice: string;
}

const DENIED: PathFailure = {
  reason: "permission denied",
  advice: "Check that this user may write to the directory and that no other program has the " +
    "file open, or choose another path.",
};
const RUNTIME_DENIED: PathFailure = {
  reason: "the runtime has no permission for it",
  advice:
    "Grant it for the directory: --allow-read and --allow-write in Deno, --allow-fs-read and " +
    "--allow-fs-write in Node.",
};
const TOO_MANY_FILES: PathFailure = {
  reason: "too many files are open",
  advice: "Save fewer archives concurrently, or raise the limit (ulimit -n).",
};

/** By the code of the operating system (POSIX.1-2017, errno.h) or of Node. */
const FAILURES: Readonly<Record<string, PathFailure>> = {
  EACCES: DENIED,
  EPERM: DENIED,
  ERR_ACCESS_DENIED: RUNTIME_DENIED,
  EBUSY: {
    reason: "another process has locked it",
    advice: "Close the program that uses the file, or choose another path.",
  },
  EDQUOT: {
    reason: "the disk quota is exceeded",
    advice: "Free disk space, then run it again.",
  },
  EEXIST: {
    reason: "a segment of the path exists and is not a directory",
    advice: "Choose another path.",
  },
  EFBIG: {
    reason: "the file is larger than allowed",
    advice: "Raise the limit (ulimit -f), or choose another file system.",
  },
  EIO: {
    reason: "the disk failed",
    advice: "Check the disk, then run it again.",
  },
  EMFILE: TOO_MANY_FILES,
  ENFILE: TOO_MANY_FILES,
  ENAMETOOLONG: {
    reason: "the name is too long for the file system",
    advice: "Choose a shorter name.",
  },
  ENOENT: {
    reason: "a file or directory does not exist",
    advice: "Run it again if another process has removed it, or choose another path.",
  },
  ENOSPC: {
    reason: "the disk is full",
    advice: "Free disk space, then run it again.",
  },
  ENOTDIR: {
    reason: "a segment of the path is not a directory",
    advice: "Choose another path.",
  },
  EROFS: {
    reason: "the file system is read-only",
    advice: "Choose a path on a file system that can be written to.",
  },
};

/**
 * Converts an error of the file system to an `HpcaiError`, whose message is the same in every runtime.
 * The runtime's own error is the cause.
 *
 * @param failed What failed: `Cannot save final.tar.gz`.
 * @param error The error; one of this package is returned unchanged.
 */
export function toPathError(failed: string, error: unknown): unknown {
  if (error instanceof HpcaiError || !(error instanceof Error)) return error;
  const code = errnoOf(error);
  // Deno's own permissions; its error may have the code of the operating system's too.
  const failure = error.name === "NotCapable" ? RUNTIME_DENIED : FAILURES[code ?? ""];
  const reason = failure?.reason ?? (code === undefined ? error.message : "the file system failed");
  const suffix = code === undefined || failure === RUNTIME_DENIED ? "" : ` (${code})`;
  return new HpcaiError(`${failed}: ${reason}${suffix}`, { advice: failure?.advice, cause: error });
}
