import {
  ApiConnectionError,
  ApiResponseValidationError,
  ApiTimeoutError,
  AuthenticationError,
  DownloadInterruptedError,
  HpcaiError,
  InternalServerError,
  InvalidArgumentError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
} from "@hpcai/rx";

/** The description of an error for the user of the app. */
export interface ErrorWords {
  /** What happened, as a sentence. */
  readonly title: string;
  /** What to do next, or the problem in detail. */
  readonly advice: string;
}

/** Describes an error for the user of the app. */
export function errorWords(error: unknown): ErrorWords {
  if (error instanceof ApiTimeoutError) {
    return { title: "The server took too long.", advice: "It may be busy. Try again in a moment." };
  }
  if (error instanceof ApiConnectionError) {
    return {
      title: "The server can't be reached.",
      advice: "Check that it runs and that you are online, then try again.",
    };
  }
  if (error instanceof AuthenticationError) {
    return {
      title: "The API refused the key.",
      advice: "Check HPCAI_API_KEY where the server runs, and restart it.",
    };
  }
  if (error instanceof PermissionDeniedError) {
    return {
      title: "The key has no permission for this.",
      advice: "Use a key of the account that owns it.",
    };
  }
  if (error instanceof NotFoundError) {
    return { title: "It does not exist.", advice: "It may have been deleted." };
  }
  if (error instanceof RateLimitError) {
    return { title: "Too many requests.", advice: retryAdvice(error) };
  }
  if (error instanceof InternalServerError) {
    return { title: "The API has a problem.", advice: retryAdvice(error) };
  }
  if (error instanceof ApiResponseValidationError) {
    return {
      title: "The response is invalid.",
      advice: "Check that the server is a proxy to HPC-AI.",
    };
  }
  if (error instanceof DownloadInterruptedError) {
    return { title: "The download was interrupted.", advice: "Start it again." };
  }
  if (error instanceof InvalidArgumentError) {
    return { title: "The input is invalid.", advice: `It ${error.reason}.` };
  }
  if (error instanceof HpcaiError) {
    return {
      title: "Something went wrong.",
      advice: [`${error.problem}.`, error.advice].filter(Boolean).join(" "),
    };
  }
  if (error instanceof DOMException && error.name === "QuotaExceededError") {
    return { title: "The disk is full.", advice: "Free some space, then try again." };
  }
  return {
    title: "Something went wrong.",
    advice: error instanceof Error ? error.message : String(error),
  };
}

function retryAdvice({ retryAfterMs }: RateLimitError | InternalServerError): string {
  return retryAfterMs === undefined
    ? "Wait a minute, then try again."
    : `Wait ${Math.ceil(retryAfterMs / 1000)} s, then try again.`;
}
