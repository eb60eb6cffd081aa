// This module is browser compatible.

import type { FakeOperation } from "./recorded_request.ts";
import { STORAGE_PATH } from "./signed_urls.ts";

/** Where a request leads: to an operation, to a place with other methods, or nowhere. */
export type Route =
  | {
    readonly operation: FakeOperation;
    /** Empty where the operation is about no training run. */
    readonly trainingRunId: string;
    /** Empty where the operation is about no checkpoint. */
    readonly checkpointId: string;
  }
  | { readonly operation: undefined; readonly allow: string | undefined };

const API_PATH = "/api/v1/";
const NOWHERE: Route = { operation: undefined, allow: undefined };

/** Whether a URL is the API's, below whichever base, and so asks for a key. */
export function isApiUrl(url: URL): boolean {
  return url.pathname.includes(API_PATH);
}

/** Finds the operation that a method and a URL stand for. */
export function route(method: string, url: URL): Route {
  const to = (operation: FakeOperation, allow: string, run = "", checkpoint = ""): Route =>
    allow.split(", ").includes(method)
      ? { operation, trainingRunId: run, checkpointId: checkpoint }
      : { operation: undefined, allow };

  if (!isApiUrl(url)) {
    return url.pathname.startsWith(STORAGE_PATH) ? to("storage", "GET, HEAD") : NOWHERE;
  }
  const path = url.pathname.slice(url.pathname.indexOf(API_PATH) + API_PATH.length);
  const segments = path.split("/").map(decodeSegment);
  const [collection, run, part, ...rest] = segments;
  if (collection !== "training_runs" || segments.includes("")) return NOWHERE;
  if (run === undefined) return to("listTrainingRuns", "GET");
  if (part === undefined) return to("getTrainingRun", "GET", run);
  if (part !== "checkpoints") return NOWHERE;
  if (rest.length === 0) return to("listCheckpoints", "GET", run);
  // A checkpoint's id may hold slashes, and end in /archive: the method decides.
  if (rest.length > 1 && rest.at(-1) === "archive" && method !== "DELETE") {
    return to("archive", "GET, HEAD", run, rest.slice(0, -1).join("/"));
  }
  return to("deleteCheckpoint", "DELETE", run, rest.join("/"));
}

/** A segment that is not well-formed names nothing. */
function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return "";
  }
}
