import { readFile, stat } from "node:fs/promises";
import { defer, map, type Observable, of } from "rxjs";
import { EXIT_CODES, Failure, isMissingPermission } from "./failure.ts";
import type { CliHost } from "./host.ts";
import type { Terminal } from "./terminal.ts";

const ADVICE = "Set HPCAI_API_KEY, or name a file that holds the key with --api-key-file.";

/** Others than the owner may read: bits of a file's mode (POSIX.1-2017, sys/stat.h). */
const GROUP_OR_OTHERS_READ = 0o044;

/** Finds the key: in the environment, in a file, or by asking. It is not an option, since others see those. */
export function apiKey$(
  { env }: CliHost,
  file: string | undefined,
  terminal: Terminal,
): Observable<string> {
  const key = keyIn(env, file !== undefined);
  if (key) {
    if (file !== undefined) terminal.warn(`HPCAI_API_KEY is set, so ${file} is not read.`);
    return of(key);
  }
  if (file !== undefined) return defer(() => readKey(file, terminal));
  if (!terminal.isInteractive) return defer(() => missing("There is no API key."));
  return terminal.ask$("API key: ", { isHidden: true }).pipe(
    map((answer) => answer?.trim() || missing("No API key was given.")),
  );
}

/** The environment's key, if there is one. Deno may refuse to read it, which a key file makes up for. */
function keyIn(env: CliHost["env"], hasFile: boolean): string | undefined {
  try {
    return env["HPCAI_API_KEY"];
  } catch (error) {
    if (hasFile && isMissingPermission(error)) return undefined;
    if (!isMissingPermission(error)) throw error;
    throw new Failure(
      "HPCAI_API_KEY cannot be read, since Deno lacks the permission.",
      "Run it with --allow-env, or name a file that holds the key with --api-key-file.",
      EXIT_CODES.authentication,
      { cause: error },
    );
  }
}

async function readKey(file: string, terminal: Terminal): Promise<string> {
  try {
    const { mode } = await stat(file);
    if ((mode & GROUP_OR_OTHERS_READ) !== 0) {
      terminal.warn(`Others can read ${file}; \`chmod 600\` keeps the key to yourself.`);
    }
    // Editors end a file with a line break, and some begin it with a byte order mark.
    return (await readFile(file, "utf8")).trim() || missing(`${file} is empty.`);
  } catch (error) {
    if (error instanceof Failure) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new Failure(`The key cannot be read: ${reason}`, ADVICE, EXIT_CODES.authentication);
  }
}

function missing(problem: string): never {
  throw new Failure(problem, ADVICE, EXIT_CODES.authentication);
}
