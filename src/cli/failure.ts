import {
  ApiConnectionError,
  ApiRedirectError,
  ApiStatusError,
  AuthenticationError,
  DownloadInterruptedError,
  HpcaiError,
  type HpcaiErrorOptions,
  InvalidArchiveError,
  InvalidArgumentError,
  LimitExceededError,
  NotFoundError,
  PermissionDeniedError,
  UnsafeArchiveError,
} from "../errors.ts";
import { PathExistsError } from "../fs/path_errors.ts";

/** The exit codes. 130 and 143 are 128 and the signal's number, as in shells. */
export const EXIT_CODES = {
  success: 0,
  failure: 1,
  usage: 2,
  authentication: 3,
  notFound: 4,
  network: 5,
  interrupted: 130,
  terminated: 143,
} as const;

/** An exit code. */
export type ExitCode = typeof EXIT_CODES[keyof typeof EXIT_CODES];

/** Why a command failed: a problem and advice in terms of the command, and the exit code. */
export class Failure extends HpcaiError {
  override name = "Failure";
  readonly exitCode: ExitCode;

  constructor(problem: string, exitCode: ExitCode, options?: HpcaiErrorOptions) {
    super(problem, options);
    this.exitCode = exitCode;
  }
}

/** Converts an error to a problem, advice and an exit code. */
export function toFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure(problemOf(error), exitCodeOf(error), {
    advice: adviceOf(error),
    cause: error,
  });
}

/** The names that the command has for arguments of the library. */
const ARGUMENTS: Readonly<Record<string, string>> = {
  apiKey: "The API key ",
  baseUrl: "The base URL ",
  checkpointId: "The checkpoint ID ",
  checkpointPath: "The checkpoint path ",
  directory: "",
  intervalMs: "The interval ",
  path: "",
  trainingRunId: "The run ID ",
  types: "The checkpoint type ",
};

/** Returns what failed and why, without the request. */
export function problemOf(error: unknown): string {
  if (error instanceof InvalidArgumentError) {
    const subject = ARGUMENTS[error.argument];
    return subject === undefined ? error.problem : `${subject}${error.reason}`;
  }
  if (error instanceof HpcaiError) return error.problem;
  return error instanceof Error ? error.message : String(error);
}

function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof InvalidArgumentError) {
    return error.argument === "apiKey" ? EXIT_CODES.authentication : EXIT_CODES.usage;
  }
  if (isMissingPermission(error)) return EXIT_CODES.usage;
  if (error instanceof AuthenticationError || error instanceof PermissionDeniedError) {
    // A storage that rejects a signed URL has not received the key.
    return error.isRedirected ? EXIT_CODES.failure : EXIT_CODES.authentication;
  }
  if (error instanceof NotFoundError) return EXIT_CODES.notFound;
  if (error instanceof DownloadInterruptedError || error instanceof ApiConnectionError) {
    return EXIT_CODES.network;
  }
  return EXIT_CODES.failure;
}

const KEY_ADVICE = "Check the key in HPCAI_API_KEY or --api-key-file.";
/** The advice for a host that cannot be reached. */
export const NETWORK_ADVICE = "Check the network and --base-url, then retry.";
const ANOTHER_PATH_ADVICE = "Name another with -o.";

/** Advice about an argument, in terms of the options of the command. */
const ARGUMENT_ADVICE: Readonly<Record<string, string>> = {
  apiKey: KEY_ADVICE,
  baseUrl:
    "Pass a URL such as https://www.hpc-ai.com/finetunesdk with --base-url or HPCAI_BASE_URL.",
  directory: ANOTHER_PATH_ADVICE,
  path: ANOTHER_PATH_ADVICE,
};

/** Advice about a status of the API, where the advice of the library names its options or methods. */
const STATUS_ADVICE: Readonly<Record<number, string>> = {
  401: KEY_ADVICE,
  404: "`run list` and `checkpoint list` show what exists.",
  410: "`checkpoint list` shows what exists.",
  425: "The server is still building the archive. Run the same command again later.",
  501: "The server does not support archives. Check --base-url.",
};

/** Returns the command's own advice, or else that of the error. */
function adviceOf(error: unknown): string {
  if (isMissingPermission(error)) {
    return "Run it with --allow-env --allow-net --allow-read --allow-write.";
  }
  const advice = error instanceof HpcaiError ? commandAdvice(error) ?? error.advice : undefined;
  return advice ?? "Run it again with --debug to see more.";
}

function commandAdvice(error: HpcaiError): string | undefined {
  if (error instanceof PathExistsError) {
    return error.argument === "directory"
      ? "Pass --force to replace it and all its files, or name another with -o."
      : "Pass --force to replace it, or name another with -o.";
  }
  if (error instanceof InvalidArgumentError) {
    return ARGUMENT_ADVICE[error.argument] ?? error.advice ?? "See --help.";
  }
  if (error instanceof ApiStatusError) {
    return error.isRedirected && error.status < 500 && error.status !== 429
      ? "Run the same command again, which requests a new URL."
      : STATUS_ADVICE[error.status];
  }
  if (error instanceof ApiRedirectError) return "Check --base-url.";
  if (error instanceof ApiConnectionError) return connectionErrorAdvice(error);
  if (error instanceof DownloadInterruptedError) return "Run the same command again.";
  if (error instanceof LimitExceededError && error.option === "maxJsonBytes") {
    return "Check --base-url: no listing of the API is that large.";
  }
  if (error instanceof InvalidArchiveError) {
    return "Run the same command again; if that fails too, the archive is damaged on the server.";
  }
  if (error instanceof UnsafeArchiveError) {
    return "Nothing was written. Use archives from trusted sources only.";
  }
  return undefined;
}

function connectionErrorAdvice(
  { obstacle, ignoredProxy, advice }: ApiConnectionError,
): string | undefined {
  switch (obstacle) {
    case "certificate":
      return "Check --base-url and the clock of this machine. Trust a private authority with " +
        "DENO_CERT in Deno, or with NODE_EXTRA_CA_CERTS in Node.";
    case "port":
      return "Use another port in --base-url.";
    case undefined:
      return ignoredProxy === undefined
        ? NETWORK_ADVICE
        : `Node ignores ${ignoredProxy}. Set NODE_USE_ENV_PROXY=1, which Node 24 and later support.`;
    default:
      return advice;
  }
}

/** Whether Deno lacks a permission for an operation. */
export function isMissingPermission(error: unknown): boolean {
  return error instanceof Error && error.name === "NotCapable";
}

/** The fields of errors that `--debug` shows. */
const DEBUG_FIELDS = [
  "method",
  "requestUrl",
  "requestId",
  "status",
  "code",
  "retryAfterMs",
  "shouldRetry",
  "obstacle",
  "ignoredProxy",
] as const;

/** Describes an error and each of its causes on a line. */
export function describeCauses(error: unknown): string[] {
  const causes = new Set<unknown>();
  for (
    let cause = error;
    cause !== undefined && !causes.has(cause);
    cause = cause instanceof Error ? cause.cause : undefined
  ) {
    causes.add(cause);
  }
  return [...causes].filter((cause) => !(cause instanceof Failure)).map(describe);
}

/** Describes an error in a line: its class, its problem and its fields. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const fields = DEBUG_FIELDS.map((name) => [name, Reflect.get(error, name)] as const);
  const text = error instanceof HpcaiError ? error.problem : error.message;
  return `${error.name}: ${text}${formatFields(fields)}`;
}

/** Formats the fields that have a value, such as ` status=404 code=not_found`. */
export function formatFields(fields: readonly (readonly [name: string, value: unknown])[]): string {
  return fields.flatMap(([name, value]) => value === undefined ? [] : [` ${name}=${value}`])
    .join("");
}
