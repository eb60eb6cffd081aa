// This module is browser compatible.

import type { FakeOperation } from "./recorded_request.ts";
import { STORAGE_PATH } from "./signed_urls.ts";

/** An operation and its parameters, or no operation. */
export type Route =
  | {
    readonly operation: FakeOperation;
    /** Empty where the operation concerns no single training run. */
    readonly trainingRunId: string;
    /** Empty where the operation concerns no single checkpoint. */
    readonly checkpointId: string;
  }
  | {
    readonly operation: undefined;
    /** The methods that the path supports; `undefined` where there is no such path. */
    readonly allow: string | undefined;
  };

const API_PATH = "/api/v1/";
const NOT_FOUND: Route = { operation: undefined, allow: undefined };

/** Whether a URL belongs to the API, below any base, and therefore requires the key. */
export function isApiUrl(url: URL): boolean {
  return url.pathname.includes(API_PATH);
}

/** Returns the route of a method and a URL. */
export function route(method: string, url: URL): Route {
  const to = (operation: FakeOperation, allow: string, run = "", checkpoint = ""): Route =>
    allow.split(", ").includes(method)
      ? { operation, trainingRunId: run, checkpointId: checkpoint }
      : { operation: undefined, allow };

  if (!isApiUrl(url)) {
    return url.pathname.startsWith(STORAGE_PATH) ? to("storage", "GET, HEAD") : NOT_FOUND;
  }
  const path = url.pathname.slice(url.pathname.indexOf(API_PATH) + API_PATH.length);
  const segments = path.split("/").map(decodeSegment);
  const [collection, run, part, ...rest] = segments;
  if (collection !== "training_runs" || segments.includes("")) return NOT_FOUND;
  if (run === undefined) return to("listTrainingRuns", "GET");
  if (part === undefined) return to("getTrainingRun", "GET", run);
  if (part !== "checkpoints") return NOT_FOUND;
  if (rest.length === 0) return to("listCheckpoints", "GET", run);
  // A checkpoint's id can contain slashes and end in /archive, so the method decides.
  if (rest.length > 1 && rest.at(-1) === "archive" && method !== "DELETE") {
    return to("archive", "GET, HEAD", run, rest.slice(0, -1).join("/"));
  }
  return to("deleteCheckpoint", "DELETE", run, rest.join("/"));
}

/** Decodes a path segment; a malformed one becomes empty, which matches no id. */
function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return "";
  }
}
