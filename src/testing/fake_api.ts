// This module is browser compatible.

import type { FakeSettings } from "./fake_options.ts";
import {
  errorResponse,
  type FakeResponse,
  fileResponse,
  jsonResponse,
  textResponse,
} from "./fake_response.ts";
import { pageResponse } from "./page_response.ts";
import type { RecordedRequest } from "./recorded_request.ts";
import { isApiUrl, type Route } from "./route.ts";
import type { SignedUrls, StoredObject } from "./signed_urls.ts";
import type { StoredCheckpoint, StoredTrainingRun } from "./stored_training_run.ts";
import { findCheckpoint, type TrainingRuns } from "./training_runs.ts";
import { checkpointJson, trainingRunJson } from "./wire_json.ts";

/** The page size of a request without a limit (API reference). */
const DEFAULT_LIMIT = 20;

const STORAGE_ORIGIN = "https://storage.fake-hpcai.example";

/** The operations of the API and its storage, without faults and delays. */
export class FakeApi {
  readonly #apiKey: string;
  readonly #runs: TrainingRuns;
  readonly #signedUrls: SignedUrls;
  readonly #settings: FakeSettings;

  constructor(apiKey: string, runs: TrainingRuns, signedUrls: SignedUrls, settings: FakeSettings) {
    this.#apiKey = apiKey;
    this.#runs = runs;
    this.#signedUrls = signedUrls;
    this.#settings = settings;
  }

  /** Performs the operation of a request and returns its response. */
  perform(route: Route, { method, url, headers }: RecordedRequest): FakeResponse {
    const target = new URL(url);
    if (isApiUrl(target) && headers.get("X-API-Key") !== this.#apiKey) {
      return this.#error(401, "unauthorized", "Invalid or missing API key");
    }
    if (route.operation === undefined) {
      return route.allow === undefined
        ? this.#error(404, "not_found", "Not found")
        : this.#error(405, "method_not_allowed", "Method not allowed", { Allow: route.allow });
    }
    if (route.operation === "storage") return this.#readStorage(target, method, headers);
    if (route.operation === "listTrainingRuns") return this.#listTrainingRuns(target.searchParams);

    const { trainingRunId, checkpointId } = route;
    const run = this.#runs.find(trainingRunId);
    if (run === undefined) {
      return this.#error(404, "not_found", `Training run ${trainingRunId} not found`);
    }
    const checkpointNotFound = () =>
      this.#error(404, "not_found", `Checkpoint ${checkpointId} not found in ${trainingRunId}`);
    switch (route.operation) {
      case "getTrainingRun":
        return jsonResponse(trainingRunJson(run, this.#settings));
      case "listCheckpoints":
        return this.#listCheckpoints(run, target.searchParams);
      case "deleteCheckpoint":
        return this.#runs.deleteCheckpoint(run, checkpointId)
          ? { status: 204, headers: {} }
          : checkpointNotFound();
      case "archive": {
        const checkpoint = findCheckpoint(run, checkpointId);
        if (checkpoint === undefined) return checkpointNotFound();
        return this.#settings.archiveResponse === "bytes"
          ? fileResponse(this.#runs.archive(run, checkpoint), method, headers)
          : this.#signedUrlResponse(target, { trainingRunId, checkpointId });
      }
    }
  }

  #listTrainingRuns(query: URLSearchParams): FakeResponse {
    return pageResponse(query, {
      name: "training_runs",
      items: this.#runs.all,
      toJson: (run) => trainingRunJson(run, this.#settings),
      defaultLimit: DEFAULT_LIMIT,
      maxLimit: this.#settings.maxPageSize,
      totalCountPastEnd: this.#settings.totalCountPastEnd,
    });
  }

  #listCheckpoints(run: StoredTrainingRun, query: URLSearchParams): FakeResponse {
    const { maxCheckpointPageSize: pageSize, totalCountPastEnd } = this.#settings;
    const toJson = (checkpoint: StoredCheckpoint) =>
      checkpointJson(run, checkpoint, this.#settings);
    if (pageSize === undefined) return jsonResponse({ checkpoints: run.checkpoints.map(toJson) });
    return pageResponse(query, {
      name: "checkpoints",
      items: run.checkpoints,
      toJson,
      defaultLimit: pageSize,
      maxLimit: pageSize,
      totalCountPastEnd,
    });
  }

  #signedUrlResponse(requestUrl: URL, object: StoredObject): FakeResponse {
    const origin = this.#settings.storageOrigin ?? defaultStorageOrigin(requestUrl);
    const { url, expires } = this.#signedUrls.issue(origin, object);
    return this.#settings.archiveResponse === "json"
      ? jsonResponse({ url: url.href, expires: expires.toISOString() })
      : textResponse(302, "", { Location: url.href, Expires: expires.toUTCString() });
  }

  #readStorage(url: URL, method: string, headers: Headers): FakeResponse {
    const object = this.#signedUrls.verify(url);
    if (object === "expired") return storageError(403, "AccessDenied", "Request has expired");
    if (object === "forged") {
      return storageError(403, "SignatureDoesNotMatch", "The signature does not match");
    }
    const run = this.#runs.find(object.trainingRunId);
    const checkpoint = run && findCheckpoint(run, object.checkpointId);
    if (run === undefined || checkpoint === undefined) {
      return storageError(404, "NoSuchKey", "The specified key does not exist");
    }
    return fileResponse(this.#runs.archive(run, checkpoint), method, headers);
  }

  #error(
    status: number,
    code: string,
    message: string,
    headers?: Readonly<Record<string, string>>,
  ): FakeResponse {
    return errorResponse(status, this.#settings.errorShape, { code, message }, headers);
  }
}

/** Returns an error of the object store, whose format differs from the API's. */
function storageError(status: number, code: string, message: string): FakeResponse {
  const xml = `<?xml version="1.0" encoding="UTF-8"?>\n` +
    `<Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  return textResponse(status, xml, { "Content-Type": "application/xml" });
}

/** Returns the other origin of the same loopback server, or an origin that exists in the fake only. */
function defaultStorageOrigin({ protocol, hostname, port }: URL): string {
  const other = new Map([["127.0.0.1", "localhost"], ["localhost", "127.0.0.1"]]).get(hostname);
  return other === undefined ? STORAGE_ORIGIN : `${protocol}//${other}:${port}`;
}
