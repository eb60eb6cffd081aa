// This module is browser compatible.

import { abortableDelay } from "./abortable_delay.ts";
import {
  type Answer,
  errorAnswer,
  fileAnswer,
  jsonAnswer,
  textAnswer,
  toResponse,
} from "./answer.ts";
import { spoiled, statusAnswer } from "./broken_answer.ts";
import { byteStream } from "./byte_stream.ts";
import { checkCount } from "./check_count.ts";
import type { ErrorShape } from "./error_body.ts";
import { FaultQueue } from "./fault_queue.ts";
import type { FakeFaults } from "./faults.ts";
import { type IncomingRequest, inProcessFetch } from "./in_process_fetch.ts";
import { LoraArchive, MIN_ARCHIVE_BYTES } from "./lora_archive.ts";
import type { RecordedRequest } from "./recorded_request.ts";
import { isApiUrl, type Route, route } from "./route.ts";
import { SignedUrls } from "./signed_urls.ts";
import {
  type FakeCheckpointInit,
  type FakeTrainingRunInit,
  type StoredCheckpoint,
  type StoredTrainingRun,
  TrainingRuns,
} from "./training_runs.ts";
import { checkpointJson, checkpointPath, trainingRunJson, type WireStyle } from "./wire_json.ts";

/** What a {@linkcode FakeHpcai} is like. */
export interface FakeHpcaiOptions {
  /** How many training runs there are. Default: 24. */
  readonly trainingRuns?: number;
  /** What the data is made from: the same seed, the same data. Default: 1. */
  readonly seed?: number;
  /** The length of every checkpoint's archive, in bytes, 16384 at least. Default: 1 MiB. */
  readonly archiveBytes?: number;
  /** How long every answer takes, in milliseconds. Default: 0. */
  readonly latencyMs?: number;
  /** The highest transfer rate of each response body, in bytes per second. Default: unlimited. */
  readonly bytesPerSecond?: number;
  /** The most training runs that one page holds, however many are asked for. Default: 100. */
  readonly maxPageSize?: number;
  /**
   * The most checkpoints of a run that one page holds: listings of checkpoints come in pages then, with
   * a cursor, as on servers of the same family. Default: no pages, all checkpoints at once.
   */
  readonly maxCheckpointPageSize?: number;
  /**
   * How the archive is answered: with its bytes, with a redirect to a signed URL on another origin,
   * or with JSON that holds such a URL. Default: `"bytes"`.
   */
  readonly archiveResponse?: "bytes" | "redirect" | "json";
  /** How long a signed URL is good, in milliseconds. Default: 15 minutes. */
  readonly signedUrlTtlMs?: number;
  /**
   * Where signed URLs point. Default: `https://storage.fake-hpcai.example`; for a fake that is asked
   * at `127.0.0.1` it is `localhost` with the same port, and the other way round, so that one server
   * plays both origins.
   */
  readonly storageOrigin?: string;
  /** The clock that signed URLs expire by. Default: `Date.now`. */
  readonly now?: () => number;
  /** Timestamps with a `Z`, or without any zone. Default: `"zoned"`. */
  readonly timestamps?: "zoned" | "naive";
  /**
   * The form of checkpoint paths: `"weights"` for `weights/` and `sampler_weights/`, `"training"`
   * for `training/` and `sampler/`, `"tinker"` for `tinker://…/weights/` in the field `tinker_path`, as
   * on servers of the same family. Default: `"weights"`.
   */
  readonly checkpointPaths?: "weights" | "training" | "tinker";
  /** The `total_count` of a page past the end: the true one, or 0. Default: `"true"`. */
  readonly totalCountPastEnd?: "true" | "zero";
  /** How errors are written; a refused `limit` or `offset` is always FastAPI's. Default: `"hpcai"`. */
  readonly errorShape?: ErrorShape;
}

/** A checkpoint of the fake's. */
export interface FakeCheckpoint {
  /** Its id. */
  readonly checkpointId: string;
  /** Its type. */
  readonly checkpointType: string;
  /** Its path, as it is listed. */
  readonly checkpointPath: string;
}

const SIGNED_URL_TTL_MS = 15 * 60_000;
const STORAGE_ORIGIN = "https://storage.fake-hpcai.example";

/** The page size when a request names none (API reference). */
const DEFAULT_LIMIT = 20;

/**
 * The HPC-AI API in memory, for tests: made-up training runs and checkpoints, real archives, and
 * faults to order. Everything but the expiry of signed URLs depends on the seed alone.
 *
 * @example As a client's `fetch`, without a socket
 * ```ts
 * import { RestClient } from "@hpcai/rx";
 * import { FakeHpcai } from "@hpcai/rx/testing";
 * import { firstValueFrom } from "rxjs";
 *
 * const fake = new FakeHpcai({ trainingRuns: 3 });
 * const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch });
 * const { trainingRuns } = await firstValueFrom(client.listTrainingRuns$());
 * console.log(trainingRuns.length); // 3
 * ```
 *
 * @example As a server
 * ```ts ignore
 * import { FakeHpcai } from "@hpcai/rx/testing";
 *
 * const fake = new FakeHpcai({ archiveResponse: "redirect" });
 * Deno.serve({ port: 8000, hostname: "127.0.0.1" }, fake.handler);
 * ```
 */
export class FakeHpcai {
  /** The key that the fake takes. */
  readonly apiKey: string;
  /**
   * Answers without a socket; needs no `this`. Takes any origin and any path before `/api/v1/`.
   * Follows redirects with all headers but `Authorization`, as the real one does.
   */
  readonly fetch: typeof fetch;
  /** Answers a server's requests, for `Deno.serve` and its like; needs no `this`. */
  readonly handler: (request: Request) => Promise<Response>;
  /** What to break next, and how. */
  readonly faults: FakeFaults;

  readonly #faults = new FaultQueue();
  readonly #requests: RecordedRequest[] = [];
  readonly #archives = new WeakMap<StoredCheckpoint, LoraArchive>();
  readonly #runs: TrainingRuns;
  readonly #signedUrls: SignedUrls;
  readonly #seed: number;
  readonly #latencyMs: number;
  readonly #maxPageSize: number;
  readonly #maxCheckpointPageSize: number | undefined;
  readonly #archiveResponse: "bytes" | "redirect" | "json";
  readonly #storageOrigin: string | undefined;
  readonly #style: WireStyle;
  readonly #totalCountPastEnd: "true" | "zero";
  readonly #errorShape: ErrorShape;

  /**
   * Makes up the data.
   *
   * @param options How the fake is to be.
   * @throws {RangeError} When a number is out of range.
   * @throws {TypeError} When `storageOrigin` is no URL.
   */
  constructor(options: FakeHpcaiOptions = {}) {
    const {
      trainingRuns = 24,
      seed = 1,
      archiveBytes = 2 ** 20,
      latencyMs = 0,
      bytesPerSecond,
      maxPageSize = 100,
      maxCheckpointPageSize,
      signedUrlTtlMs = SIGNED_URL_TTL_MS,
      storageOrigin,
    } = options;
    checkCount("trainingRuns", trainingRuns, 0);
    checkCount("seed", seed, Number.MIN_SAFE_INTEGER);
    checkCount("archiveBytes", archiveBytes, MIN_ARCHIVE_BYTES);
    checkCount("latencyMs", latencyMs, 0);
    if (bytesPerSecond !== undefined) checkCount("bytesPerSecond", bytesPerSecond, 1);
    checkCount("maxPageSize", maxPageSize, 1);
    if (maxCheckpointPageSize !== undefined) {
      checkCount("maxCheckpointPageSize", maxCheckpointPageSize, 1);
    }
    checkCount("signedUrlTtlMs", signedUrlTtlMs, 0);

    this.apiKey = `fake-key-${seed}`;
    this.faults = this.#faults;
    this.#runs = new TrainingRuns(trainingRuns, seed, archiveBytes);
    this.#signedUrls = new SignedUrls(seed, signedUrlTtlMs, options.now ?? Date.now);
    this.#seed = seed;
    this.#latencyMs = latencyMs;
    this.#maxPageSize = maxPageSize;
    this.#maxCheckpointPageSize = maxCheckpointPageSize;
    this.#archiveResponse = options.archiveResponse ?? "bytes";
    this.#storageOrigin = storageOrigin === undefined ? undefined : new URL(storageOrigin).origin;
    this.#style = {
      timestamps: options.timestamps ?? "zoned",
      checkpointPaths: options.checkpointPaths ?? "weights",
    };
    this.#totalCountPastEnd = options.totalCountPastEnd ?? "true";
    this.#errorShape = options.errorShape ?? "hpcai";

    this.fetch = inProcessFetch(async (request) => {
      const answer = await this.#answer(request);
      if (answer === "broken") throw new TypeError(`The connection to ${request.url} was lost`);
      const { method, signal } = request;
      return toResponse(answer, { method, bytesPerSecond, signal });
    });
    this.handler = async (request) => {
      const answer = await this.#answer(request).catch((error: unknown) => {
        // The client went while it waited: nobody gets this, but a server wants an answer.
        if (request.signal.aborted) return textAnswer(499, "", {});
        throw error;
      });
      if (answer === "broken") {
        return new Response(byteStream(new Uint8Array(), { ending: "error" }));
      }
      return toResponse(answer, { method: request.method, bytesPerSecond });
    };
  }

  /** Every request so far, in the order in which they came. */
  get requests(): readonly RecordedRequest[] {
    return this.#requests;
  }

  /** The ids of the training runs, in the order in which they are listed. */
  get trainingRunIds(): readonly string[] {
    return this.#runs.all.map(({ id }) => id);
  }

  /**
   * The checkpoints of a training run, oldest first.
   *
   * @throws {RangeError} When there is no such run.
   */
  checkpoints(trainingRunId: string): readonly FakeCheckpoint[] {
    const run = this.#run(trainingRunId);
    return run.checkpoints.map((checkpoint) => this.#checkpointOf(run, checkpoint));
  }

  /**
   * The archive of a checkpoint, to compare with what a client got.
   *
   * @throws {RangeError} When there is no such run or checkpoint.
   */
  archive(trainingRunId: string, checkpointId: string): LoraArchive {
    const run = this.#run(trainingRunId);
    const checkpoint = run.checkpoints.find(({ id }) => id === checkpointId);
    if (checkpoint === undefined) {
      throw new RangeError(`No checkpoint ${checkpointId} in ${trainingRunId}`);
    }
    return this.#archiveOf(run, checkpoint);
  }

  /**
   * Adds a training run at the front of the listing.
   *
   * @returns Its id.
   * @throws {RangeError} When there is a run with that id, or the rank is no whole number above 0.
   */
  addTrainingRun(init: FakeTrainingRunInit = {}): string {
    if (typeof init.loraRank === "number") checkCount("loraRank", init.loraRank, 1);
    return this.#runs.add(init).id;
  }

  /**
   * Removes a training run and its checkpoints.
   *
   * @throws {RangeError} When there is no such run.
   */
  removeTrainingRun(trainingRunId: string): void {
    this.#runs.remove(this.#run(trainingRunId));
  }

  /**
   * Makes a training run the latest to be active, which moves it to the front of the listing.
   *
   * @throws {RangeError} When there is no such run.
   */
  touchTrainingRun(trainingRunId: string): void {
    this.#runs.touch(this.#run(trainingRunId));
  }

  /**
   * Adds a checkpoint to a training run, which keeps its place in the listing.
   *
   * @throws {RangeError} When there is no such run, or a checkpoint with that id.
   */
  addCheckpoint(trainingRunId: string, init: FakeCheckpointInit): FakeCheckpoint {
    if (init.archiveBytes !== undefined) {
      checkCount("archiveBytes", init.archiveBytes, MIN_ARCHIVE_BYTES);
    }
    const run = this.#run(trainingRunId);
    return this.#checkpointOf(run, this.#runs.addCheckpoint(run, init));
  }

  /** Makes all signed URLs given out so far expire: the storage answers them with 403. */
  expireSignedUrls(): void {
    this.#signedUrls.expireAll();
  }

  #run(id: string): StoredTrainingRun {
    const run = this.#runs.find(id);
    if (run === undefined) throw new RangeError(`No training run ${id}`);
    return run;
  }

  #checkpointOf(run: StoredTrainingRun, checkpoint: StoredCheckpoint): FakeCheckpoint {
    return {
      checkpointId: checkpoint.id,
      checkpointType: checkpoint.type,
      checkpointPath: checkpointPath(run, checkpoint, this.#style),
    };
  }

  #archiveOf(run: StoredTrainingRun, checkpoint: StoredCheckpoint): LoraArchive {
    const archive = this.#archives.get(checkpoint) ?? new LoraArchive({
      byteLength: checkpoint.archiveBytes,
      name: `${this.#seed}/${run.id}/${checkpoint.id}`,
      baseModel: run.baseModel,
      rank: run.loraRank ?? 16,
      mtime: Math.floor(checkpoint.timeMicros / 1_000_000),
    });
    this.#archives.set(checkpoint, archive);
    return archive;
  }

  /** Records a request, waits as long as it has to, and answers it or breaks the connection. */
  async #answer(incoming: IncomingRequest): Promise<Answer | "broken"> {
    const { method, url } = incoming;
    const target = new URL(url);
    const found = route(method, target);
    const headers = new Headers(incoming.headers);
    const request = { method, url, headers, operation: found.operation };
    this.#requests.push(request);
    const { delayMs, fault } = this.#faults.take(request);
    const waitMs = this.#latencyMs + delayMs;
    // The signal is looked at only where it is needed: a look costs a warning of Deno.serve's.
    if (waitMs > 0) await abortableDelay(waitMs, incoming.signal);

    const perform = () => this.#perform(found, target, request);
    if (fault === undefined) return perform();
    switch (fault.type) {
      case "status":
        if (fault.afterEffect) perform();
        return statusAnswer(fault);
      case "connection-error":
        if (fault.afterEffect) perform();
        return "broken";
      case "redirect":
        if (fault.afterEffect) perform();
        return textAnswer(fault.status ?? 302, "", { Location: fault.location });
      default:
        return spoiled(perform(), fault);
    }
  }

  #perform(found: Route, url: URL, { method, headers }: RecordedRequest): Answer {
    if (isApiUrl(url) && headers.get("X-API-Key") !== this.apiKey) {
      return this.#error(401, "unauthorized", "Invalid or missing API key");
    }
    if (found.operation === undefined) {
      return found.allow === undefined
        ? this.#error(404, "not_found", "Not found")
        : this.#error(405, "method_not_allowed", "Method not allowed", { Allow: found.allow });
    }
    if (found.operation === "storage") return this.#storage(url, method, headers);
    if (found.operation === "listTrainingRuns") return this.#listTrainingRuns(url.searchParams);

    const { trainingRunId, checkpointId } = found;
    const run = this.#runs.find(trainingRunId);
    if (run === undefined) {
      return this.#error(404, "not_found", `Training run ${trainingRunId} not found`);
    }
    const noCheckpoint = () =>
      this.#error(404, "not_found", `Checkpoint ${checkpointId} not found in ${trainingRunId}`);
    switch (found.operation) {
      case "getTrainingRun":
        return jsonAnswer(trainingRunJson(run, this.#style));
      case "listCheckpoints":
        return this.#listCheckpoints(run, url.searchParams);
      case "deleteCheckpoint":
        return this.#runs.deleteCheckpoint(run, checkpointId)
          ? { status: 204, headers: {} }
          : noCheckpoint();
      case "archive": {
        const checkpoint = run.checkpoints.find(({ id }) => id === checkpointId);
        if (checkpoint === undefined) return noCheckpoint();
        return this.#archiveResponse === "bytes"
          ? fileAnswer(this.#archiveOf(run, checkpoint), method, headers)
          : this.#signedUrlAnswer(this.#archiveResponse, url, { trainingRunId, checkpointId });
      }
    }
  }

  #listTrainingRuns(query: URLSearchParams): Answer {
    return this.#page(
      "training_runs",
      this.#runs.all,
      (run) => trainingRunJson(run, this.#style),
      query,
      DEFAULT_LIMIT,
      this.#maxPageSize,
    );
  }

  #listCheckpoints(run: StoredTrainingRun, query: URLSearchParams): Answer {
    const json = (checkpoint: StoredCheckpoint) => checkpointJson(run, checkpoint, this.#style);
    const size = this.#maxCheckpointPageSize;
    return size === undefined
      ? jsonAnswer({ checkpoints: run.checkpoints.map(json) })
      : this.#page("checkpoints", run.checkpoints, json, query, size, size);
  }

  #page<T>(
    name: string,
    items: readonly T[],
    json: (item: T) => unknown,
    query: URLSearchParams,
    defaultLimit: number,
    maxLimit: number,
  ): Answer {
    const limit = Number(query.get("limit") ?? defaultLimit);
    const offset = Number(query.get("offset") ?? 0);
    if (!Number.isSafeInteger(limit) || limit < 1) return invalidQuery("limit", 1);
    if (!Number.isSafeInteger(offset) || offset < 0) return invalidQuery("offset", 0);
    const size = Math.min(limit, maxLimit);
    const total = items.length;
    const isPastEnd = offset > 0 && offset >= total;
    return jsonAnswer({
      [name]: items.slice(offset, offset + size).map(json),
      cursor: {
        offset,
        limit: size,
        total_count: isPastEnd && this.#totalCountPastEnd === "zero" ? 0 : total,
      },
    });
  }

  #signedUrlAnswer(
    kind: "redirect" | "json",
    requestUrl: URL,
    checkpoint: { trainingRunId: string; checkpointId: string },
  ): Answer {
    const origin = this.#storageOrigin ?? storageOriginBeside(requestUrl);
    const { url, expires } = this.#signedUrls.issue(origin, checkpoint);
    return kind === "json"
      ? jsonAnswer({ url: url.href, expires: expires.toISOString() })
      : textAnswer(302, "", { Location: url.href, Expires: expires.toUTCString() });
  }

  #storage(url: URL, method: string, headers: Headers): Answer {
    const opened = this.#signedUrls.open(url);
    if (opened === "expired") return storageError(403, "AccessDenied", "Request has expired");
    if (opened === "forged") {
      return storageError(403, "SignatureDoesNotMatch", "The signature does not match");
    }
    const run = this.#runs.find(opened.trainingRunId);
    const checkpoint = run?.checkpoints.find(({ id }) => id === opened.checkpointId);
    if (run === undefined || checkpoint === undefined) {
      return storageError(404, "NoSuchKey", "The specified key does not exist");
    }
    return fileAnswer(this.#archiveOf(run, checkpoint), method, headers);
  }

  #error(
    status: number,
    code: string,
    message: string,
    headers?: Readonly<Record<string, string>>,
  ): Answer {
    return errorAnswer(status, this.#errorShape, { code, message }, headers);
  }
}

/** FastAPI's answer to a query parameter that is not what it should be. */
function invalidQuery(name: string, least: number): Answer {
  return errorAnswer(422, "fastapi-validation", {
    code: "greater_than_equal",
    message: `Input should be a whole number greater than or equal to ${least}`,
    location: ["query", name],
  });
}

/** An error of an object store, which knows nothing of the API's shapes. */
function storageError(status: number, code: string, message: string): Answer {
  const xml = `<?xml version="1.0" encoding="UTF-8"?>\n` +
    `<Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  return textAnswer(status, xml, { "Content-Type": "application/xml" });
}

/** Another origin that the same loopback server answers at, or one that only the fake knows. */
function storageOriginBeside({ protocol, hostname, port }: URL): string {
  const other = new Map([["127.0.0.1", "localhost"], ["localhost", "127.0.0.1"]]).get(hostname);
  return other === undefined ? STORAGE_ORIGIN : `${protocol}//${other}:${port}`;
}
