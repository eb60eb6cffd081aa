import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { HpcaiError } from "@hpcai/rx";
import { PathExistsError } from "@hpcai/rx/fs";
import { toPathError } from "../../src/fs/path_errors.ts";

/** An error as a runtime reports it. */
function systemError(code: string, message: string, name = "Error"): Error {
  return Object.assign(new Error(message), { code, name });
}

const FAILED = "Cannot save final.tar.gz";

/** For each cause the errors of two runtimes, and the problem and advice of this package. */
const causes: Record<string, readonly [errors: Error[], problem: string, advice: RegExp]> = {
  "a full disk": [
    [
      systemError("ENOSPC", "No space left on device (os error 28)"),
      systemError("ENOSPC", "ENOSPC: no space left on device, write"),
    ],
    `${FAILED}: the disk is full (ENOSPC)`,
    /^Free disk space/,
  ],
  "an exceeded quota": [
    [
      new Error("Disk quota exceeded (os error 122)"),
      Object.assign(systemError("Unknown system error -122", "write"), { errno: -122 }),
    ],
    `${FAILED}: the disk quota is exceeded (EDQUOT)`,
    /^Free disk space/,
  ],
  "a directory of another user": [
    [
      systemError("EACCES", "Permission denied (os error 13)", "PermissionDenied"),
      systemError("EACCES", "EACCES: permission denied, open 'x'"),
    ],
    `${FAILED}: permission denied (EACCES)`,
    /may write to the directory/,
  ],
  "a file system that is read-only": [
    [systemError("EROFS", "Read-only file system (os error 30)")],
    `${FAILED}: the file system is read-only (EROFS)`,
    /can be written to/,
  ],
  "a locked file": [
    [systemError("EBUSY", "EBUSY: resource busy or locked, rename")],
    `${FAILED}: another process has locked it (EBUSY)`,
    /^Close the program/,
  ],
  "a permission of the runtime": [
    [
      systemError("EACCES", "Requires write access to x, run again …", "NotCapable"),
      systemError("ERR_ACCESS_DENIED", "Access to this API has been restricted"),
    ],
    `${FAILED}: the runtime has no permission for it`,
    /--allow-write in Deno, .*--allow-fs-write in Node/,
  ],
};
for (const [what, [errors, problem, advice]] of Object.entries(causes)) {
  Deno.test(`toPathError reports ${what} with the same message in every runtime`, () => {
    for (const cause of errors) {
      const error = toPathError(FAILED, cause);
      assertInstanceOf(error, HpcaiError);
      assertEquals(error.problem, problem);
      assert(advice.test(error.advice ?? ""), error.advice);
      assert(error.cause === cause);
    }
  });
}

Deno.test("toPathError shows the code of an error that it has no advice for", () => {
  const error = toPathError(FAILED, systemError("ESTALE", "Stale file handle"));
  assertInstanceOf(error, HpcaiError);
  assertEquals(error.message, `${FAILED}: the file system failed (ESTALE)`);
});

Deno.test("toPathError returns an error of this package unchanged", () => {
  const error = new PathExistsError("path", "final.tar.gz exists");
  assert(toPathError(FAILED, error) === error);
});
