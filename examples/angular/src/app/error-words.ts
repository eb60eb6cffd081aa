import {
  ApiConnectionError,
  ApiResponseValidationError,
  ApiTimeoutError,
  AuthenticationError,
  DownloadInterruptedError,
  InternalServerError,
  InvalidArgumentError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
} from "@hpcai/rx";

/** An error as a person wants to read it. */
export interface ErrorWords {
  /** What happened, in one sentence. */
  readonly title: string;
  /** What to do about it. */
  readonly advice: string;
}

/** Says what an error means and what to do about it. */
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
    return { title: "The key may not do this.", advice: "Use a key of the account that owns it." };
  }
  if (error instanceof NotFoundError) {
    return { title: "There is no such thing.", advice: "It may have been deleted meanwhile." };
  }
  if (error instanceof RateLimitError) {
    return { title: "Too many requests.", advice: "Wait a minute, then try again." };
  }
  if (error instanceof InternalServerError) {
    return {
      title: "The API has a problem.",
      advice: "Try again; if it stays, look at its status.",
    };
  }
  if (error instanceof ApiResponseValidationError) {
    return { title: "The answer makes no sense.", advice: "Is the server a proxy to HPC-AI?" };
  }
  if (error instanceof DownloadInterruptedError) {
    return { title: "The download broke off.", advice: "Start it again." };
  }
  if (error instanceof InvalidArgumentError) {
    return { title: "That can't be used.", advice: error.message };
  }
  if (error instanceof DOMException && error.name === "QuotaExceededError") {
    return { title: "The disk is full.", advice: "Make room, then try again." };
  }
  return {
    title: "Something went wrong.",
    advice: error instanceof Error ? error.message : String(error),
  };
}
