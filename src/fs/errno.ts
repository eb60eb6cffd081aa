import { constants } from "node:os";

/** The end of the text of an error of the operating system in Rust. */
const OS_ERROR = /\(os error (\d+)\)$/;

/**
 * Returns the code of an error of the system or of Node, such as `ENOENT`, if it has one.
 *
 * A code for which the runtime has no name, such as EDQUOT, is found by its number. Node has the number
 * in a field, Deno 2.9 only in the text.
 */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = "code" in error ? error.code : undefined;
  if (typeof code === "string" && /^\w+$/.test(code)) return code;
  const errno = "errno" in error ? error.errno : OS_ERROR.exec(error.message)?.[1];
  const number = Math.abs(Number(errno));
  return Object.entries(constants.errno).find(([, value]) => value === number)?.[0];
}

/** Whether an error has one of these codes. */
export function isErrno(error: unknown, ...codes: readonly string[]): boolean {
  const code = errnoOf(error);
  return code !== undefined && codes.includes(code);
}
