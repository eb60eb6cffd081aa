import { concatMap, defer, filter, map, type Observable, of } from "rxjs";
import {
  requireCheckpointId,
  requireInteger,
  requireOptions,
  requireTrainingRunId,
} from "./arguments.ts";
import { checkpointIds, parseCheckpointPath } from "./checkpoint_path.ts";
import type {
  ArchiveEntriesOptions,
  ArchiveEntry,
  ReadArchiveEntryOptions,
} from "./download/archive_entry.ts";
import { download$ } from "./download/download.ts";
import type { DownloadEvent, DownloadOptions } from "./download/download_event.ts";
import type { Decode } from "./json.ts";
import type { DeleteCheckpointsOptions, DeleteResult } from "./listing/delete_checkpoints.ts";
import type { ListAllCheckpointsOptions } from "./listing/list_all_checkpoints.ts";
import type { ListAllTrainingRunsOptions } from "./listing/list_all_training_runs.ts";
import type { PageQuery } from "./listing/list_pages.ts";
import type { WatchEvent, WatchOptions } from "./listing/watch_event.ts";
import { loadModule } from "./load_module.ts";
import type { RestClientOptions } from "./options.ts";
import { discardBody } from "./transport/response_body.ts";
import type { ClientEvent, ClientOperation } from "./transport/client_event.ts";
import { setTransport } from "./transport/client_transport.ts";
import { acceptLostDelete } from "./transport/lost_delete.ts";
import { readJson } from "./transport/read_json.ts";
import { createTransport, type Transport } from "./transport/transport.ts";
import type {
  Checkpoint,
  CheckpointRef,
  CheckpointsListResponse,
  RunCheckpoint,
  TrainingRun,
  TrainingRunsResponse,
} from "./types.ts";
import { checkpointsPage, trainingRun, trainingRunsResponse } from "./wire.ts";

/** Which page of training runs to list. */
export interface ListTrainingRunsQuery {
  /** How many runs to request; servers cap it. A positive integer; default 20. */
  readonly limit?: number | undefined;
  /** How many runs to skip at the beginning. Default 0. */
  readonly offset?: number | undefined;
}

const DEFAULT_LIMIT = 20;

/**
 * A reactive client for the HPC-AI fine-tuning REST API.
 *
 * Every operation is a cold Observable: nothing is sent before `subscribe`, each subscription is a
 * new run of the operation, and `unsubscribe` aborts its requests and timers immediately. Nothing throws
 * synchronously: invalid options and arguments are an {@linkcode InvalidArgumentError} on the error
 * channel, before any request.
 *
 * All operations retry transient failures (`RestClientOptions.retry`). They may fail with an
 * {@linkcode ApiStatusError} of the class for the status, an {@linkcode ApiConnectionError}, an
 * {@linkcode ApiTimeoutError} or an {@linkcode ApiResponseValidationError}.
 *
 * @example
 * ```ts
 * import { RestClient } from "@hpcai/rx";
 * import { firstValueFrom } from "rxjs";
 *
 * const client = new RestClient(); // the key is read from HPCAI_API_KEY
 * const { trainingRuns, cursor } = await firstValueFrom(client.listTrainingRuns$({ limit: 10 }));
 * console.log(`${trainingRuns.length} of ${cursor.totalCount} runs`);
 * ```
 */
export class RestClient {
  #transport: Transport;

  /**
   * Makes a client. It sends nothing and does not throw: invalid options are the error of each
   * operation.
   *
   * @param options The key, the base URL and others; each has a default.
   */
  constructor(options: RestClientOptions = {}) {
    this.#transport = createTransport(options);
    setTransport(this, this.#transport);
  }

  /**
   * Reports the calls of this client and their HTTP requests from the moment of subscribing:
   *
   * - `request`, then `response` or `failure`, for each HTTP request, redirects included;
   * - `retry`, `error` and `cancel` for the call that the requests belong to.
   *
   * Never completes, never fails, and contains no secret.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   *
   * const client = new RestClient();
   * client.events$.subscribe(({ type, operation, attempt, url }) => {
   *   console.log(type, operation, attempt, url);
   * });
   * ```
   */
  get events$(): Observable<ClientEvent> {
    return this.#transport.events$;
  }

  /**
   * Makes a client with another timeout, other retries or more headers. It shares everything else with
   * this client: the key, the limit of concurrent requests, the polls of watches, and `events$`.
   *
   * @param overrides What to change: `timeoutMs`; `retry`, whose fields replace those of this client,
   * or `false` for never; `headers`, which are added to those of this client and replace them by name.
   * @returns The client. Invalid options are the error of each of its operations.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   *
   * const client = new RestClient();
   * client.with({ timeoutMs: 5_000, retry: false }).listTrainingRuns$().subscribe({
   *   next: ({ cursor }) => console.log(`The API responds; there are ${cursor.totalCount} runs.`),
   *   error: ({ problem }) => console.error(problem),
   * });
   * ```
   */
  with(overrides: Pick<RestClientOptions, "timeoutMs" | "retry" | "headers">): RestClient {
    const client = new RestClient();
    client.#transport = this.#transport.with(overrides);
    setTransport(client, client.#transport);
    return client;
  }

  /**
   * Lists one page of training runs, active and done.
   *
   * @param query Which page: `limit` (default 20) and `offset` (default 0).
   * @returns Emits the page once and completes. The server may return fewer runs than requested.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   *
   * const client = new RestClient();
   * client.listTrainingRuns$({ limit: 10 }).subscribe(({ trainingRuns, cursor }) => {
   *   console.log(`${trainingRuns.length} of ${cursor.totalCount} runs`);
   * });
   * ```
   */
  listTrainingRuns$(query: ListTrainingRunsQuery = {}): Observable<TrainingRunsResponse> {
    return defer(() => {
      requireOptions("query", query);
      const { limit = DEFAULT_LIMIT, offset = 0 } = query;
      requireInteger("limit", limit, 1);
      requireInteger("offset", offset, 0);
      const page = { limit, offset };
      return this.#get$("listTrainingRuns", ["training_runs"], trainingRunsResponse, page);
    });
  }

  /**
   * Lists every training run, page by page, in the server's order. The first page is emitted before
   * the next is requested, so that `take(n)` costs one request; then up to `concurrency` requests are
   * in flight.
   *
   * The listing is complete even if runs change during it. The pages overlap by one run. Where an overlap
   * or the count shows a change, further passes follow until it is proven that every run which existed
   * throughout was emitted. Runs that a later pass finds are emitted after the others. Each run is
   * emitted once, as it was first read.
   *
   * @param options `pageSize` (default 100), `offset` (default 0), `concurrency` (default 4).
   * @returns Emits each run and completes. Fails with an {@linkcode InconsistentListingError}, after
   * all runs that were read, if they change during each of 64 passes, if the server lists fewer runs
   * than it counts, or if a pass has more than 10 000 pages.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   * import { filter } from "rxjs";
   *
   * const client = new RestClient();
   * await client.listAllTrainingRuns$().pipe(
   *   filter(({ baseModel }) => baseModel === "Qwen/Qwen3-8B"),
   * ).forEach(({ trainingRunId, loraRank }) => console.log(trainingRunId, loraRank));
   * ```
   */
  listAllTrainingRuns$(options: ListAllTrainingRunsOptions = {}): Observable<TrainingRun> {
    return runLazily(
      importListing,
      ({ listAllTrainingRuns$ }) =>
        listAllTrainingRuns$((query) => this.listTrainingRuns$(query), options),
    );
  }

  /**
   * Gets a training run.
   *
   * @param trainingRunId The run's id.
   * @returns Emits the run once and completes. Fails with a {@linkcode NotFoundError} if the run does
   * not exist.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   * import { firstValueFrom } from "rxjs";
   *
   * const client = new RestClient();
   * const run = await firstValueFrom(
   *   client.getTrainingRun$("eb78693b-380d-40f8-a709-ffe0da185718"),
   * );
   * console.log(run.baseModel, run.lastRequestTime?.toISOString());
   * ```
   */
  getTrainingRun$(trainingRunId: string): Observable<TrainingRun> {
    return defer(() => {
      requireTrainingRunId(trainingRunId);
      return this.#get$("getTrainingRun", ["training_runs", trainingRunId], trainingRun);
    });
  }

  /**
   * Gets the training run of a checkpoint.
   *
   * @param checkpointPath The checkpoint's path, `hpcai://…`.
   * @returns Emits the run once and completes. Fails with an {@linkcode InvalidCheckpointPathError}
   * if the path is malformed, and with a {@linkcode NotFoundError} if the run does not exist.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   * import { firstValueFrom } from "rxjs";
   *
   * const client = new RestClient();
   * const run = await firstValueFrom(
   *   client.getTrainingRunByCheckpointPath$(
   *     "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010",
   *   ),
   * );
   * console.log(run.trainingRunId, run.loraRank);
   * ```
   */
  getTrainingRunByCheckpointPath$(checkpointPath: string): Observable<TrainingRun> {
    return defer(() => this.getTrainingRun$(parseCheckpointPath(checkpointPath).trainingRunId));
  }

  /**
   * Lists the checkpoints of a training run, of all types. Where the server sends pages, all pages are
   * read, with the same proof as {@linkcode RestClient.listAllTrainingRuns$}.
   *
   * @param trainingRunId The run's id.
   * @returns Emits all checkpoints once, in the server's order, and completes. Fails with a
   * {@linkcode NotFoundError} if the run does not exist, and with an
   * {@linkcode InconsistentListingError} as `listAllTrainingRuns$` does, without emitting.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   * import { firstValueFrom } from "rxjs";
   *
   * const client = new RestClient();
   * const { checkpoints } = await firstValueFrom(
   *   client.listCheckpoints$("eb78693b-380d-40f8-a709-ffe0da185718"),
   * );
   * for (const { checkpointType, checkpointId } of checkpoints) {
   *   console.log(checkpointType, checkpointId);
   * }
   * ```
   */
  listCheckpoints$(trainingRunId: string): Observable<CheckpointsListResponse> {
    return defer(() => {
      requireTrainingRunId(trainingRunId);
      const path = ["training_runs", trainingRunId, "checkpoints"];
      const page$ = (query?: PageQuery) =>
        this.#get$("listCheckpoints", path, checkpointsPage(trainingRunId), query);
      return page$().pipe(
        concatMap((first) =>
          first.cursor === null
            ? of({ checkpoints: first.checkpoints })
            : runLazily(importListing, (module) => module.completeCheckpoints$(first, page$))
        ),
      );
    });
  }

  /**
   * Lists the checkpoints of every training run, in the order of
   * {@linkcode RestClient.listAllTrainingRuns$}. A run that is deleted during the listing has no checkpoints.
   *
   * @param options `concurrency` (default 4): how many runs' checkpoints are requested concurrently.
   * @returns Emits each checkpoint with its run, as the responses arrive, and completes. Fails as
   * `listAllTrainingRuns$` does.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   * import { filter } from "rxjs";
   *
   * const client = new RestClient();
   * await client.listAllCheckpoints$().pipe(
   *   filter(({ checkpointType }) => checkpointType === "sampler"),
   * ).forEach(({ checkpointPath, trainingRun }) => {
   *   console.log(checkpointPath, trainingRun.baseModel);
   * });
   * ```
   */
  listAllCheckpoints$(options: ListAllCheckpointsOptions = {}): Observable<RunCheckpoint> {
    return runLazily(importListing, (module) =>
      module.listAllCheckpoints$(
        this.listAllTrainingRuns$(),
        (trainingRunId) => this.listCheckpoints$(trainingRunId),
        options,
      ));
  }

  /**
   * Watches all training runs: polls their list and emits the differences.
   *
   * A poll begins `intervalMs` after the end of the last one. There are none while the page is hidden,
   * or without subscribers. Subscribers with the same options share the polls.
   *
   * @param options `intervalMs` (default 10 000), `emitInitial` (default true), `maxConsecutiveErrors`
   * (default `Infinity`).
   * @returns Emits `added` for each run of the first poll and each new one, `changed` for each one that
   * differs, `removed` for each one that no longer exists; for each poll the removed runs first, then the
   * others in the server's order. A late subscriber first receives the runs of the last poll. Never
   * completes.
   *
   * A poll that fails emits nothing; `events$` reports it, and polling backs off. The watch fails with
   * an {@linkcode AuthenticationError} or a {@linkcode PermissionDeniedError} immediately, and with any
   * error after `maxConsecutiveErrors` in a row.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   * import { take } from "rxjs";
   *
   * const client = new RestClient();
   * await client.watchTrainingRuns$().pipe(take(3)).forEach(({ type, value }) => {
   *   console.log(type, value.trainingRunId, value.lastRequestTime?.toISOString());
   * });
   * ```
   */
  watchTrainingRuns$(options: WatchOptions = {}): Observable<WatchEvent<TrainingRun>> {
    return runLazily(
      importListing,
      (module) => module.watchTrainingRuns$(this.#transport, this.listAllTrainingRuns$(), options),
    );
  }

  /**
   * Watches the checkpoints of a training run: polls their list and emits the differences.
   *
   * @param trainingRunId The run's id.
   * @param options `intervalMs` (default 10 000), `emitInitial` (default true), `maxConsecutiveErrors`
   * (default `Infinity`).
   * @returns Emits the differences, never completes, and fails, as
   * {@linkcode RestClient.watchTrainingRuns$} does. Also fails immediately with a {@linkcode NotFoundError} if the
   * run does not exist or is deleted.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   * import { takeWhile } from "rxjs";
   *
   * const client = new RestClient();
   *
   * // Ends when the run has saved its last checkpoint.
   * await client.watchCheckpoints$("eb78693b-380d-40f8-a709-ffe0da185718").pipe(
   *   takeWhile(({ value }) => value.checkpointId !== "final", true),
   * ).forEach(({ type, value }) => console.log(type, value.checkpointPath));
   * ```
   */
  watchCheckpoints$(
    trainingRunId: string,
    options: WatchOptions = {},
  ): Observable<WatchEvent<Checkpoint>> {
    return runLazily(importListing, (module) =>
      module.watchCheckpoints$(
        this.#transport,
        trainingRunId,
        this.listCheckpoints$(trainingRunId),
        options,
      ));
  }

  /**
   * Downloads a checkpoint's archive into memory. For progress, or for archives larger than memory,
   * see {@linkcode RestClient.download$}.
   *
   * @param trainingRunId The run's id.
   * @param checkpointId The checkpoint's id, as a listing has it.
   * @returns Emits the bytes of the whole `.tar.gz` once and completes. Fails as `download$` does.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   * import { firstValueFrom } from "rxjs";
   *
   * const client = new RestClient();
   * const bytes = await firstValueFrom(
   *   client.downloadCheckpointArchive$("eb78693b-380d-40f8-a709-ffe0da185718", "final"),
   * );
   * console.log(`${bytes.byteLength} bytes`);
   * ```
   */
  downloadCheckpointArchive$(
    trainingRunId: string,
    checkpointId: string,
  ): Observable<Uint8Array<ArrayBuffer>> {
    return this.#downloadBody$({ trainingRunId, checkpointId });
  }

  /**
   * Downloads a checkpoint's archive into memory.
   *
   * @param checkpointPath The checkpoint's path, `hpcai://…`.
   * @returns Emits the bytes of the whole `.tar.gz` once and completes. Fails as `download$` does.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   * import { firstValueFrom } from "rxjs";
   *
   * const client = new RestClient();
   * const bytes = await firstValueFrom(
   *   client.downloadCheckpointArchiveByCheckpointPath$(
   *     "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010",
   *   ),
   * );
   * console.log(`${bytes.byteLength} bytes`);
   * ```
   */
  downloadCheckpointArchiveByCheckpointPath$(
    checkpointPath: string,
  ): Observable<Uint8Array<ArrayBuffer>> {
    return defer(() => this.#downloadBody$(parseCheckpointPath(checkpointPath)));
  }

  /**
   * Downloads a checkpoint's archive, a `.tar.gz`, into a stream or into memory, with progress and
   * with the backpressure of the stream.
   *
   * @param checkpoint A checkpoint of a listing, its path, or its ids.
   * @param options `to`, `progressIntervalMs`, `idleTimeoutMs`, `prepareTimeoutMs`, `maxBytes`,
   * `minBytesPerSecond`.
   * @returns Emits `progress` at most every `progressIntervalMs`, the first (0 bytes) and the last
   * always; `restart` when the transfer restarts from the first byte; then `complete`, with the bytes in
   * `body` if there is no `to`; and completes. Fails with a {@linkcode DownloadInterruptedError} if the
   * transfer is interrupted and cannot be resumed; with an {@linkcode InvalidArchiveError} if the
   * length is uncertain and the bytes are neither gzip nor tar; with an {@linkcode HpcaiError} whose
   * cause is the stream's own error if that fails. The stream is aborted then.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   *
   * const client = new RestClient();
   * const checkpoint = "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010";
   * await client.download$(checkpoint).forEach(({ type, loaded }) => console.log(type, loaded));
   * ```
   */
  download$(checkpoint: CheckpointRef, options: DownloadOptions = {}): Observable<DownloadEvent> {
    return download$(this.#transport, checkpoint, options);
  }

  /**
   * Reads the entries of a checkpoint's archive as it arrives, in constant memory and with
   * backpressure.
   *
   * To read an entry's `body`, begin in `next` or `mergeMap`, and read to its end or cancel; the next
   * entry is emitted after that. A body whose reading has not begun by then is skipped.
   *
   * In browsers, whose `DecompressionStream` supports a single gzip member, an archive of several fails.
   *
   * @param checkpoint A checkpoint of a listing, its path, or its ids.
   * @param options Limits: by default the entries may have 2⁴⁰ bytes in total (`maxBytes`), and 100
   * times as many as the gzip (`maxRatio`). Timeouts.
   * @returns Emits each entry in the archive's order and completes after the last; unsubscribing ends
   * the transfer. Fails as `download$` does; with an {@linkcode InvalidArchiveError} if the archive is
   * damaged; with an {@linkcode UnsafeArchiveError} that names the entry if one is a sparse file or of
   * an unknown type, has a name that is not UTF-8, or exceeds a limit.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   *
   * const client = new RestClient();
   * client.archiveEntries$("hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010")
   *   .subscribe(({ path, size }) => console.log(path, size));
   * ```
   */
  archiveEntries$(
    checkpoint: CheckpointRef,
    options: ArchiveEntriesOptions = {},
  ): Observable<ArchiveEntry> {
    return runLazily(
      importArchiveEntries,
      ({ archiveEntries$ }) => archiveEntries$(this.#transport, checkpoint, options),
    );
  }

  /**
   * Reads one file of a checkpoint's archive into memory. The archive is transferred only up to the end
   * of that file.
   *
   * @param checkpoint A checkpoint of a listing, its path, or its ids.
   * @param path The file's name in the archive; a leading `./` is ignored.
   * @param options Limits: by default the file may have 64 MiB (`maxBytes`), and what is read of the
   * archive 100 times as many bytes as the gzip (`maxRatio`). Timeouts.
   * @returns Emits the file's bytes once and completes; the first file if several have the name. Fails
   * as `archiveEntries$` does; with an {@linkcode ArchiveEntryNotFoundError} if there is no such file;
   * with an {@linkcode UnsafeArchiveError} if it exceeds `maxBytes`, before any of it is read.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   * import { firstValueFrom } from "rxjs";
   *
   * const client = new RestClient();
   * const checkpoint = "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010";
   * const bytes = await firstValueFrom(
   *   client.readArchiveEntry$(checkpoint, "adapter_config.json"),
   * );
   * console.log(JSON.parse(new TextDecoder().decode(bytes)));
   * ```
   */
  readArchiveEntry$(
    checkpoint: CheckpointRef,
    path: string,
    options: ReadArchiveEntryOptions = {},
  ): Observable<Uint8Array<ArrayBuffer>> {
    return runLazily(
      importArchiveEntries,
      ({ readArchiveEntry$ }) => readArchiveEntry$(this.#transport, checkpoint, path, options),
    );
  }

  /**
   * Deletes a checkpoint permanently.
   *
   * If the response to an attempt was lost, and the next attempt finds no such checkpoint, the deletion
   * has succeeded.
   *
   * @param trainingRunId The run's id.
   * @param checkpointId The checkpoint's id, as a listing has it.
   * @returns Emits `undefined` once and completes. Fails with a {@linkcode NotFoundError} if the
   * checkpoint does not exist.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   * import { firstValueFrom } from "rxjs";
   *
   * const client = new RestClient();
   * await firstValueFrom(
   *   client.deleteCheckpoint$("eb78693b-380d-40f8-a709-ffe0da185718", "step_0020"),
   * );
   * ```
   */
  deleteCheckpoint$(trainingRunId: string, checkpointId: string): Observable<void> {
    return defer(() => {
      requireTrainingRunId(trainingRunId);
      requireCheckpointId(checkpointId);
      return this.#transport.request$(
        {
          operation: "deleteCheckpoint",
          method: "DELETE",
          path: ["training_runs", trainingRunId, "checkpoints", ...checkpointId.split("/")],
          headers: ACCEPT_JSON,
        },
        ({ response }) => discardBody(response),
        acceptLostDelete(),
      );
    });
  }

  /**
   * Deletes a checkpoint permanently.
   *
   * @param checkpointPath The checkpoint's path, `hpcai://…`.
   * @returns Emits `undefined` once and completes. Fails as `deleteCheckpoint$` does.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   * import { firstValueFrom } from "rxjs";
   *
   * const client = new RestClient();
   * await firstValueFrom(
   *   client.deleteCheckpointByCheckpointPath$(
   *     "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010",
   *   ),
   * );
   * ```
   */
  deleteCheckpointByCheckpointPath$(checkpointPath: string): Observable<void> {
    return defer(() => {
      const { trainingRunId, checkpointId } = parseCheckpointPath(checkpointPath);
      return this.deleteCheckpoint$(trainingRunId, checkpointId);
    });
  }

  /**
   * Deletes checkpoints permanently, several concurrently. A failed deletion does not stop the others,
   * even where all fail for the same reason, such as an invalid key.
   *
   * @param checkpoints Checkpoints of a listing, paths, or ids. The iterable is read to its end before
   * the first deletion.
   * @param options `concurrency` (default 4); with `dryRun` nothing is sent.
   * @returns Emits one result for each checkpoint as it completes, `deleted` or `failed`, and completes;
   * with `dryRun` the result is `planned`, or `failed` for an invalid checkpoint. Unsubscribing aborts
   * the requests in flight and sends no more; those that have reached the server may be carried out.
   * Fails with an {@linkcode InvalidArgumentError} if the options are invalid or `checkpoints` is no
   * iterable, and with the iterable's own error.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   *
   * const client = new RestClient();
   * const checkpoints = [
   *   "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010",
   *   "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0020",
   * ];
   * await client.deleteCheckpoints$(checkpoints).forEach((result) => {
   *   if (result.type === "failed") console.error(result.checkpoint, result.error);
   *   else console.log(result.checkpoint, result.type);
   * });
   * ```
   */
  deleteCheckpoints$(
    checkpoints: Iterable<CheckpointRef>,
    options: DeleteCheckpointsOptions = {},
  ): Observable<DeleteResult> {
    return runLazily(importListing, (module) =>
      module.deleteCheckpoints$(
        (checkpoint) => {
          const { trainingRunId, checkpointId } = checkpointIds(checkpoint);
          return this.deleteCheckpoint$(trainingRunId, checkpointId);
        },
        checkpoints,
        options,
      ));
  }

  /** Sends a GET request and decodes the JSON of its response. */
  #get$<T>(
    operation: ClientOperation,
    path: readonly string[],
    decode: Decode<T>,
    query?: PageQuery,
  ): Observable<T> {
    return this.#transport.request$({
      operation,
      method: "GET",
      path,
      query: { ...query },
      headers: ACCEPT_JSON,
    }, readJson(decode));
  }

  #downloadBody$(checkpoint: CheckpointRef): Observable<Uint8Array<ArrayBuffer>> {
    return this.download$(checkpoint).pipe(
      filter((event) => event.type === "complete"),
      map(({ body }) => body ?? new Uint8Array()),
    );
  }
}

const ACCEPT_JSON: Readonly<Record<string, string>> = { "Accept": "application/json" };

// Loaded on first use, to keep the initial download of a page small.
const importListing = () => import("./listing/mod.ts");
const importArchiveEntries = () => import("./download/archive_entries.ts");

/** Runs an operation of a module that is loaded on first use. */
function runLazily<M, T>(load: () => Promise<M>, run: (module: M) => Observable<T>): Observable<T> {
  return defer(() => loadModule(load)).pipe(concatMap(run));
}
