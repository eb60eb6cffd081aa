import { readFile, stat } from "node:fs/promises";
import { defer, map, type Observable, of } from "rxjs";
import { EXIT_CODES, Failure, isMissingPermission } from "./failure.ts";
import type { CliHost } from "./host.ts";
import type { Terminal } from "./terminal.ts";

const ADVICE = "Set HPCAI_API_KEY, or pass a file that contains the key with --api-key-file.";

/** Read permission for the group and for others (POSIX.1-2017, sys/stat.h). */
const GROUP_OR_OTHERS_READ = 0o044;

/**
 * Reads the API key from the environment, from a file, or from a prompt. It is not an option, since
 * other users can see the arguments of a process.
 */
export function apiKey$(
  { env }: CliHost,
  file: string | undefined,
  terminal: Terminal,
): Observable<string> {
  const key = environmentKey(env, file !== undefined);
  if (key) {
    if (file !== undefined) terminal.warn(`HPCAI_API_KEY is set, so ${file} is not read.`);
    return of(key);
  }
  if (file !== undefined) return defer(() => readKeyFile(file, terminal));
  if (!terminal.isInteractive) return defer(() => throwMissing("The API key is missing"));
  return terminal.prompt$("API key: ", { isHidden: true }).pipe(
    map((line) => line?.trim() || throwMissing("The API key is empty")),
  );
}

/** Returns the key of the environment; with a key file, Deno's missing permission counts as no key. */
function environmentKey(env: CliHost["env"], hasFile: boolean): string | undefined {
  try {
    return env["HPCAI_API_KEY"];
  } catch (error) {
    if (hasFile && isMissingPermission(error)) return undefined;
    if (!isMissingPermission(error)) throw error;
    throw new Failure(
      "Cannot read HPCAI_API_KEY: Deno lacks the permission",
      EXIT_CODES.authentication,
      {
        advice: "Run with --allow-env, or pass a file that contains the key with --api-key-file.",
        cause: error,
      },
    );
  }
}

async function readKeyFile(file: string, terminal: Terminal): Promise<string> {
  try {
    const { mode } = await stat(file);
    if ((mode & GROUP_OR_OTHERS_READ) !== 0) {
      terminal.warn(`Other users can read ${file}. Run \`chmod 600\` to keep the key private.`);
    }
    // Editors end a file with a line break, and some begin it with a byte order mark.
    return (await readFile(file, "utf8")).trim() || throwMissing(`${file} is empty`);
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Failure(`Cannot read the API key: ${reason}`, EXIT_CODES.authentication, {
      advice: ADVICE,
      cause,
    });
  }
}

function throwMissing(problem: string): never {
  throw new Failure(problem, EXIT_CODES.authentication, { advice: ADVICE });
}
