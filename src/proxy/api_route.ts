import type { ClientOperation } from "../transport/client_event.ts";

/** A route of the API and the operation that it serves. */
export interface ApiRoute {
  readonly operation: ClientOperation;
  /** The decoded segments below `/api/v1/`. */
  readonly path: readonly string[];
}

const API_PATH = "/api/v1/";

/**
 * Finds the route of the API in a path with any prefix, or `undefined` where it has none.
 *
 * @param pathname The path of the request, percent-encoded.
 */
export function findRoute(method: string, pathname: string): ApiRoute | undefined {
  for (let at = pathname.indexOf(API_PATH); at >= 0; at = pathname.indexOf(API_PATH, at + 1)) {
    const path = decodeSegments(pathname.slice(at + API_PATH.length));
    const operation = path && findOperation(method, path);
    if (path && operation) return { operation, path };
  }
  return undefined;
}

function findOperation(
  method: string,
  [collection, run, part, ...checkpoint]: readonly string[],
): ClientOperation | undefined {
  if (collection !== "training_runs") return undefined;
  const isCheckpoints = part === "checkpoints";
  if (method === "DELETE") {
    return isCheckpoints && checkpoint.length > 0 ? "deleteCheckpoint" : undefined;
  }
  if (method !== "GET") return undefined;
  if (run === undefined) return "listTrainingRuns";
  if (part === undefined) return "getTrainingRun";
  if (!isCheckpoints) return undefined;
  if (checkpoint.length === 0) return "listCheckpoints";
  return checkpoint.length > 1 && checkpoint.at(-1) === "archive"
    ? "downloadCheckpointArchive"
    : undefined;
}

/**
 * Segments that servers interpret in different ways: segments that are empty or consist of dots, that
 * contain a slash or a control character once they are decoded, or that are encoded twice.
 */
// deno-lint-ignore no-control-regex
const AMBIGUOUS_SEGMENT = /^\.{0,2}$|[/\\\u0000-\u001f\u007f]|%[\da-f]{2}/i;

function decodeSegments(path: string): readonly string[] | undefined {
  try {
    const segments = path.split("/").map((segment) => decodeURIComponent(segment));
    return segments.some((segment) => AMBIGUOUS_SEGMENT.test(segment)) ? undefined : segments;
  } catch {
    return undefined; // a malformed escape sequence
  }
}
