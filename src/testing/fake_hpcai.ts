// This module is browser compatible.

import { abortableDelay } from "./abortable_delay.ts";
import { byteStream } from "./byte_stream.ts";
import { FakeApi } from "./fake_api.ts";
import { type FakeHpcaiOptions, toFakeSettings } from "./fake_options.ts";
import { type FakeResponse, textResponse, toResponse } from "./fake_response.ts";
import { FaultQueue } from "./fault_queue.ts";
import type { FakeFaults } from "./faults.ts";
import { applyBodyFault, statusResponse } from "./faulty_response.ts";
import { type IncomingRequest, inProcessFetch } from "./in_process_fetch.ts";
import type { LoraArchive } from "./lora_archive.ts";
import type { RecordedRequest } from "./recorded_request.ts";
import { route } from "./route.ts";
import { SignedUrls } from "./signed_urls.ts";
import type { StoredCheckpoint, StoredTrainingRun } from "./stored_training_run.ts";
import {
  type FakeCheckpointInit,
  type FakeTrainingRunInit,
  findCheckpoint,
  TrainingRuns,
} from "./training_runs.ts";
import { checkpointPath, type WireStyle } from "./wire_json.ts";

/** A checkpoint of a {@linkcode FakeHpcai}. */
export interface FakeCheckpoint {
  /** The id. */
  readonly checkpointId: string;
  /** The type. */
  readonly checkpointType: string;
  /** The path, as in a listing. */
  readonly checkpointPath: string;
}

/**
 * The HPC-AI API in memory, for tests.
 *
 * It has generated training runs and checkpoints, real archives, and programmable faults. Everything but
 * the expiry of signed URLs depends on the seed alone.
 *
 * @example Test code that uses a client, without a socket
 * ```ts
 * import { RestClient } from "@hpcai/rx";
 * import { FakeHpcai } from "@hpcai/rx/testing";
 * import { assertEquals } from "@std/assert";
 * import { firstValueFrom } from "rxjs";
 *
 * const fake = new FakeHpcai({ trainingRuns: 0 });
 * const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch });
 * const trainingRunId = fake.addTrainingRun({ baseModel: "Qwen/Qwen3-32B" });
 *
 * const { trainingRuns } = await firstValueFrom(client.listTrainingRuns$());
 *
 * assertEquals(trainingRuns.map((run) => run.trainingRunId), [trainingRunId]);
 * ```
 *
 * @example Serve the fake to another process
 * ```ts ignore
 * import { FakeHpcai } from "@hpcai/rx/testing";
 *
 * const fake = new FakeHpcai({ archiveResponse: "redirect" });
 * Deno.serve({ port: 8000, hostname: "127.0.0.1" }, fake.handler);
 * ```
 */
export class FakeHpcai {
  /** The valid API key. */
  readonly apiKey: string;
  /**
   * Responds without a socket; needs no `this`. Accepts any origin, and any path before `/api/v1/`.
   * Follows redirects with all headers but `Authorization`, as the platform's `fetch` does.
   */
  readonly fetch: typeof fetch;
  /** Responds to the requests of a server such as `Deno.serve`; needs no `this`. */
  readonly handler: (request: Request) => Promise<Response>;
  /** The programmable faults of later requests. */
  readonly faults: FakeFaults;

  readonly #api: FakeApi;
  readonly #faults = new FaultQueue();
  readonly #requests: RecordedRequest[] = [];
  readonly #runs: TrainingRuns;
  readonly #signedUrls: SignedUrls;
  readonly #latencyMs: number;
  readonly #style: WireStyle;

  /**
   * Generates the data.
   *
   * @param options What the data is like, and how the API responds.
   * @throws {RangeError} When a number is out of range.
   * @throws {TypeError} When `storageOrigin` is not a URL.
   */
  constructor(options: FakeHpcaiOptions = {}) {
    const settings = toFakeSettings(options);
    const { seed, bytesPerSecond } = settings;
    this.apiKey = `fake-key-${seed}`;
    this.faults = this.#faults;
    this.#runs = new TrainingRuns(settings.trainingRuns, seed, settings.archiveBytes);
    this.#signedUrls = new SignedUrls(seed, settings.signedUrlTtlMs, settings.now);
    this.#api = new FakeApi(this.apiKey, this.#runs, this.#signedUrls, settings);
    this.#latencyMs = settings.latencyMs;
    this.#style = settings;

    this.fetch = inProcessFetch(async (request) => {
      const response = await this.#respond(request);
      const { method, url, signal } = request;
      if (response === undefined) throw new TypeError(`The connection to ${url} was lost`);
      return toResponse(response, { method, bytesPerSecond, signal });
    });
    this.handler = async (request) => {
      const response = await this.#respond(request).catch((error: unknown) => {
        // The client has disconnected, but a server requires a response.
        if (request.signal.aborted) return textResponse(499, "", {});
        throw error;
      });
      if (response === undefined) {
        return new Response(byteStream(new Uint8Array(), { ending: "error" }));
      }
      return toResponse(response, { method: request.method, bytesPerSecond });
    };
  }

  /** All requests so far, in the order of arrival. */
  get requests(): readonly RecordedRequest[] {
    return this.#requests;
  }

  /** The ids of the training runs, in the order of the listing. */
  get trainingRunIds(): readonly string[] {
    return this.#runs.all.map(({ id }) => id);
  }

  /**
   * Returns the checkpoints of a training run, oldest first.
   *
   * @throws {RangeError} When the run does not exist.
   */
  checkpoints(trainingRunId: string): readonly FakeCheckpoint[] {
    const run = this.#run(trainingRunId);
    return run.checkpoints.map((checkpoint) => this.#toFakeCheckpoint(run, checkpoint));
  }

  /**
   * Returns the archive of a checkpoint, to compare with what a client received.
   *
   * @throws {RangeError} When the run or the checkpoint does not exist.
   */
  archive(trainingRunId: string, checkpointId: string): LoraArchive {
    const run = this.#run(trainingRunId);
    const checkpoint = findCheckpoint(run, checkpointId);
    if (checkpoint === undefined) {
      throw new RangeError(`No checkpoint ${checkpointId} in ${trainingRunId}`);
    }
    return this.#runs.archive(run, checkpoint);
  }

  /**
   * Adds a training run at the front of the listing.
   *
   * @returns Its id.
   * @throws {RangeError} When the id exists already, or the rank is not a positive integer.
   */
  addTrainingRun(init: FakeTrainingRunInit = {}): string {
    return this.#runs.add(init).id;
  }

  /**
   * Removes a training run and its checkpoints.
   *
   * @throws {RangeError} When the run does not exist.
   */
  removeTrainingRun(trainingRunId: string): void {
    this.#runs.remove(this.#run(trainingRunId));
  }

  /**
   * Gives a training run the latest activity, which moves it to the front of the listing.
   *
   * @throws {RangeError} When the run does not exist.
   */
  touchTrainingRun(trainingRunId: string): void {
    this.#runs.touch(this.#run(trainingRunId));
  }

  /**
   * Adds a checkpoint to a training run. The run keeps its place in the listing.
   *
   * @throws {RangeError} When the run does not exist, or the checkpoint's id exists already.
   */
  addCheckpoint(trainingRunId: string, init: FakeCheckpointInit): FakeCheckpoint {
    const run = this.#run(trainingRunId);
    return this.#toFakeCheckpoint(run, this.#runs.addCheckpoint(run, init));
  }

  /** Expires all signed URLs issued so far: the storage responds to them with 403. */
  expireSignedUrls(): void {
    this.#signedUrls.expireAll();
  }

  #run(id: string): StoredTrainingRun {
    const run = this.#runs.find(id);
    if (run === undefined) throw new RangeError(`No training run ${id}`);
    return run;
  }

  #toFakeCheckpoint(run: StoredTrainingRun, checkpoint: StoredCheckpoint): FakeCheckpoint {
    return {
      checkpointId: checkpoint.id,
      checkpointType: checkpoint.type,
      checkpointPath: checkpointPath(run, checkpoint, this.#style),
    };
  }

  /** Records and delays a request, then responds to it; `undefined` is a lost connection. */
  async #respond(incoming: IncomingRequest): Promise<FakeResponse | undefined> {
    const { method, url } = incoming;
    const target = route(method, new URL(url));
    const headers = new Headers(incoming.headers);
    const request = { method, url, headers, operation: target.operation };
    this.#requests.push(request);
    const { delayMs, fault } = this.#faults.take(request);
    const totalDelayMs = this.#latencyMs + delayMs;
    // Read the signal only where it is needed, because Deno.serve logs a warning on the first read.
    if (totalDelayMs > 0) await abortableDelay(totalDelayMs, incoming.signal);

    const perform = () => this.#api.perform(target, request);
    if (fault === undefined) return perform();
    switch (fault.type) {
      case "status":
        if (fault.afterEffect) perform();
        return statusResponse(fault);
      case "connection-error":
        if (fault.afterEffect) perform();
        return undefined;
      case "redirect":
        if (fault.afterEffect) perform();
        return textResponse(fault.status ?? 302, "", { Location: fault.location });
      default:
        return applyBodyFault(perform(), fault);
    }
  }
}
