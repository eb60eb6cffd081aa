import {
  ApiConnectionError,
  ApiStatusError,
  AuthenticationError,
  type ConnectionObstacle,
  DownloadInterruptedError,
  HpcaiError,
  InternalServerError,
  InvalidArchiveError,
  InvalidArgumentError,
  LimitExceededError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
  UnsafeArchiveError,
} from "../errors.ts";
import { PathExistsError } from "../fs/path_errors.ts";

/** What the command's exit code says; 130 and 143 are 128 and the signal's number, as in shells. */
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

/** A failure as it is told: a plain sentence, what to do next, and the exit code. */
export class Failure extends Error {
  override name = "Failure";
  readonly advice: string;
  readonly exitCode: ExitCode;

  constructor(message: string, advice: string, exitCode: ExitCode, options?: ErrorOptions) {
    super(message, options);
    this.advice = advice;
    this.exitCode = exitCode;
  }
}

const KEY_ADVICE = "Check the key in HPCAI_API_KEY or --api-key-file.";
/** What to do where a host cannot be reached. */
export const NETWORK_ADVICE = "Check the network and --base-url, then try again.";
const OBSTACLE_ADVICE: Readonly<Record<ConnectionObstacle, string>> = {
  certificate:
    "Check --base-url and this machine's clock. The certificate of a private authority " +
    "goes into DENO_CERT, or with Node into NODE_EXTRA_CA_CERTS.",
  permission: "Run it with --allow-net.",
  port: "Name another port in --base-url.",
  fetch: "Run it again with --debug to see more.",
};
const NAME_ANOTHER = "Name another with -o.";
const BASE_URL_ADVICE = "Pass one such as https://www.hpc-ai.com/finetunesdk in --base-url or " +
  "HPCAI_BASE_URL.";

/** Puts whatever went wrong into a sentence, a next step and an exit code. */
export function toFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const failure = (advice: string, exitCode: ExitCode) =>
    new Failure(sentence(error), advice, exitCode, { cause: error });

  if (error instanceof InvalidArgumentError) return ofArgument(error);
  if (isMissingPermission(error)) {
    return failure(
      "Run it with --allow-env --allow-net --allow-read --allow-write.",
      EXIT_CODES.usage,
    );
  }
  if (error instanceof ApiStatusError && error.isRedirected && [401, 403].includes(error.status)) {
    return failure(
      "The storage refuses the archive's signed URL. Run the same command again.",
      EXIT_CODES.failure,
    );
  }
  if (error instanceof AuthenticationError) {
    return failure(KEY_ADVICE, EXIT_CODES.authentication);
  }
  if (error instanceof PermissionDeniedError) {
    return failure("Ask the owner, or use another key.", EXIT_CODES.authentication);
  }
  if (error instanceof NotFoundError) {
    return failure("`run list` and `checkpoint list` show what there is.", EXIT_CODES.notFound);
  }
  if (error instanceof DownloadInterruptedError) {
    return failure("Run the same command again.", EXIT_CODES.network);
  }
  if (error instanceof ApiConnectionError) {
    const { obstacle } = error;
    return failure(
      obstacle === undefined ? NETWORK_ADVICE : OBSTACLE_ADVICE[obstacle],
      EXIT_CODES.network,
    );
  }
  if (error instanceof LimitExceededError && error.option === "maxJsonBytes") {
    return failure("No listing is that large. Check --base-url.", EXIT_CODES.failure);
  }
  if (error instanceof RateLimitError || error instanceof InternalServerError) {
    return failure("Wait a while, then try again.", EXIT_CODES.failure);
  }
  if (error instanceof InvalidArchiveError) {
    return failure("Download it again; if that fails too, it is damaged.", EXIT_CODES.failure);
  }
  if (error instanceof UnsafeArchiveError) {
    return failure("Nothing was written. Do not trust where it comes from.", EXIT_CODES.failure);
  }
  const advice = error instanceof HpcaiError ? error.advice : undefined;
  return failure(advice ?? "Run it again with --debug to see more.", EXIT_CODES.failure);
}

/** Whether Deno refuses something for want of a permission. */
export function isMissingPermission(error: unknown): boolean {
  return error instanceof Error && error.name === "NotCapable";
}

function ofArgument(error: InvalidArgumentError): Failure {
  const { reason, problem } = error;
  const failure = (text: string, advice: string, exitCode: ExitCode = EXIT_CODES.usage) =>
    new Failure(text, advice, exitCode, { cause: error });
  const isReplaceable = error instanceof PathExistsError;
  switch (error.argument) {
    case "path":
      return failure(
        reason,
        isReplaceable ? "Pass --force to replace it, or -o to name another." : NAME_ANOTHER,
      );
    case "directory":
      return failure(
        reason,
        isReplaceable
          ? "Pass --force to delete it with all that is in it, or -o to name another."
          : NAME_ANOTHER,
      );
    case "apiKey":
      return failure(`The API key ${reason}.`, KEY_ADVICE, EXIT_CODES.authentication);
    case "baseUrl":
      return failure(`The base URL ${reason}.`, BASE_URL_ADVICE);
    case "intervalMs":
      return failure(`The interval ${reason}.`, "See --help.");
    default:
      return failure(problem, "See --help.");
  }
}

/** The message without the request, which is --debug's to show. */
export function sentence(error: unknown): string {
  if (error instanceof HpcaiError) return error.problem;
  return error instanceof Error ? error.message : String(error);
}

/** All that is known of an error and its causes, a line each. */
export function explain(error: unknown): string[] {
  const lines: string[] = [];
  const seen = new Set<unknown>();
  for (
    let at = error;
    at !== undefined && !seen.has(at);
    at = at instanceof Error ? at.cause : undefined
  ) {
    seen.add(at);
    if (at instanceof Failure) continue;
    if (!(at instanceof Error)) {
      lines.push(String(at));
      continue;
    }
    const facts = ["status", "code", "retryAfterMs", "shouldRetry", "obstacle"].flatMap((name) => {
      const value = Reflect.get(at, name);
      return value === undefined ? [] : [` ${name}=${value}`];
    });
    lines.push(`${at.name}: ${at.message}${facts.join("")}`);
  }
  return lines;
}
