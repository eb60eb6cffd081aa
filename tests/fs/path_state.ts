/** The state of one file in the state directory, for tests to read and to plant. */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { claimPath } from "../../src/fs/path_claim.ts";
import { stateKey } from "../../src/fs/state_directory.ts";

/** The state directory of a file's directory. */
export function stateRoot(path: string): string {
  return join(dirname(path), ".hpcai-rx");
}

/** The lock of a file. */
export function lockOf(path: string): string {
  return join(stateRoot(path), `${keyOf(path)}.lock`);
}

/** The directory of a file's state, as its last holder left it. */
export function stateOf(path: string): string {
  const root = stateRoot(path);
  const names = existsSync(root) ? readdirSync(root) : [];
  const name = names.find((name) => name.startsWith(`${keyOf(path)}.`) && !name.endsWith(".lock"));
  return join(root, name ?? `${keyOf(path)}.0123456789abcdef`);
}

/** The names in a file's state, and `lock` if it is locked. */
export function stateFiles(path: string): string[] {
  const directory = stateOf(path);
  const names = existsSync(directory) ? readdirSync(directory) : [];
  return [...names, ...(existsSync(lockOf(path)) ? ["lock"] : [])].sort();
}

/** Creates the state that a killed process leaves of a file; without `files` only its directories. */
export function plantState(
  path: string,
  files: Readonly<Record<string, string | Uint8Array>> = {},
): string {
  mkdirSync(stateRoot(path), { recursive: true, mode: 0o700 });
  const directory = stateOf(path);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(directory, name), content, { mode: 0o600 });
  }
  return directory;
}

/**
 * Removes the lock of a process that was killed or stopped, as another process does after the lease, so
 * that a test does not wait for it.
 */
export function expireLock(path: string): void {
  rmSync(lockOf(path), { force: true });
}

/** Resolves once this process has released a file that it was unsubscribed from. */
export async function whenReleased(path: string): Promise<void> {
  const { signal } = new AbortController();
  const claim = await claimPath({ root: dirname(path), name: basename(path) }, signal);
  await claim.release();
}

function keyOf(path: string): string {
  return stateKey({ root: dirname(path), name: basename(path) });
}
