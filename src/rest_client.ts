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
import type { WatchEvent, WatchOptions } from "./listing/watch_event.ts";
import type { DeleteCheckpointsOptions, DeleteResult } from "./listing/delete_checkpoints.ts";
import type { ListAllCheckpointsOptions } from "./listing/list_all_checkpoints.ts";
import type { ListAllTrainingRunsOptions } from "./listing/list_all_training_runs.ts";
import type { PageQuery } from "./listing/list_pages.ts";
import { loadModule } from "./load_module.ts";
import type { RestClientOptions } from "./options.ts";
import { discardBody } from "./transport/bounded_text.ts";
import type { ClientEvent } from "./transport/client_event.ts";
import { readJson } from "./transport/read_json.ts";
import { setTransport } from "./transport/client_transport.ts";
import { acceptLostDelete } from "./transport/lost_delete.ts";
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
  /** How many runs to ask for; servers cap it. A positive integer; default 20. */
  readonly limit?: number | undefined;
  /** How many runs to leave out at the beginning. Default 0. */
  readonly offset?: number | undefined;
}

const DEFAULT_LIMIT = 20;

/**
 * A reactive client for the HPC-AI fine-tuning REST API.
 *
 * Every operation is a cold Observable: nothing is sent before `subscribe`, each subscription is a
 * fresh run of the operation, and `unsubscribe` aborts its requests and timers at once. Nothing is
 * thrown synchronously: options and arguments that are not usable arrive as an
 * {@linkcode InvalidArgumentError} on the error channel, before any request goes out.
 *
 * All operations try transient failures again (`RestClientOptions.retry`) and may fail with an
 * {@linkcode ApiStatusError} of the class that fits the status, an {@linkcode ApiConnectionError},
 * an {@linkcode ApiTimeoutError} or an {@linkcode ApiResponseValidationError}.
 *
 * @example
 * ```ts
 * import { RestClient } from "@hpcai/rx";
 * import { FakeHpcai } from "@hpcai/rx/testing";
 * import { assertEquals } from "@std/assert";
 * import { firstValueFrom } from "rxjs";
 *
 * const fake = new FakeHpcai();
 * const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch });
 *
 * const { trainingRuns, cursor } = await firstValueFrom(client.listTrainingRuns$({ limit: 10 }));
 * assertEquals(trainingRuns.length, 10);
 * assertEquals(cursor.totalCount, 24);
 * ```
 */
export class RestClient {
  #transport: Transport;

  /**
   * What happens to the requests of this client, from the moment of subscribing: `request`,
   * `response`, `retry`, `failure` and `cancel`. Never completes, never fails, holds no secret.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   *
   * const client = new RestClient(); // the key is read from HPCAI_API_KEY
   * client.events$.subscribe(({ type, operation, attempt }) => {
   *   console.log(type, operation, attempt);
   * });
   * ```
   */
  get events$(): Observable<ClientEvent> {
    return this.#transport.events$;
  }

  /**
   * Makes a client. Sends nothing, and does not throw: options that are not usable surface as the
   * error of each operation.
   *
   * @param options Key, base URL and the rest; every one has a default.
   */
  constructor(options: RestClientOptions = {}) {
    this.#transport = createTransport(options);
    setTransport(this, this.#transport);
  }

  /**
   * Makes a client with another timeout, other retries or more headers. It shares everything else with
   * this client: key, limit of concurrent requests, polls of watches, and `events$`.
   *
   * @param overrides What to change: `timeoutMs`; `retry`, whose fields replace those of this client,
   * `false` for never; `headers`, which are added to those of this client and replace them by name.
   * @returns The client. Does not throw: invalid options are the error of each operation.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   *
   * const client = new RestClient(); // the key is read from HPCAI_API_KEY
   * const impatient = client.with({ timeoutMs: 5_000, retry: false });
   * impatient.listTrainingRuns$().subscribe({ error: ({ name }) => console.error(name) });
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
   * @returns Emits the page once and completes. The server may give fewer runs than asked for.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   * import { FakeHpcai } from "@hpcai/rx/testing";
   *
   * const fake = new FakeHpcai();
   * const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch });
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
      return this.#transport.request$({
        operation: "listTrainingRuns",
        method: "GET",
        path: ["training_runs"],
        query: { limit, offset },
        headers: ACCEPT_JSON,
      }, readJson(trainingRunsResponse));
    });
  }

  /**
   * Lists all training runs, page after page, in the server's order. The first page is emitted
   * before another one is asked for, so that `take(n)` costs one request; then up to `concurrency`
   * pages are under way at once.
   *
   * Runs that move while the listing is under way are not missed: the pages overlap by one run, and
   * where that or the count shows a change, further passes follow until it is proven that every run
   * which existed throughout was emitted. What a later pass finds comes after what was emitted before.
   * Each run is emitted once, as it was first seen.
   *
   * @param options `pageSize` (default 100), `offset` (default 0), `concurrency` (default 4).
   * @returns Emits each run and completes. Fails with an {@linkcode InconsistentListingError}, after
   * all runs that were seen, if they change during each of 64 passes, if the server lists fewer runs
   * than it counts, or if a pass has more than 10 000 pages.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   * import { FakeHpcai } from "@hpcai/rx/testing";
   * import { assertEquals } from "@std/assert";
   * import { lastValueFrom, toArray } from "rxjs";
   *
   * const fake = new FakeHpcai({ trainingRuns: 250 });
   * const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch });
   *
   * const runs = await lastValueFrom(client.listAllTrainingRuns$().pipe(toArray()));
   * assertEquals(runs.length, 250);
   * ```
   */
  listAllTrainingRuns$(options: ListAllTrainingRunsOptions = {}): Observable<TrainingRun> {
    return runOf(
      importListing,
      ({ listAllTrainingRuns$ }) =>
        listAllTrainingRuns$((query) => this.listTrainingRuns$(query), options),
    );
  }

  /**
   * Gets a training run.
   *
   * @param trainingRunId The run's id.
   * @returns Emits the run once and completes. Fails with a {@linkcode NotFoundError} if there is
   * no such run.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   * import { firstValueFrom } from "rxjs";
   *
   * const client = new RestClient(); // the key is read from HPCAI_API_KEY
   * const run = await firstValueFrom(
   *   client.getTrainingRun$("eb78693b-380d-40f8-a709-ffe0da185718"),
   * );
   * console.log(run.baseModel, run.lastRequestTime?.toISOString());
   * ```
   */
  getTrainingRun$(trainingRunId: string): Observable<TrainingRun> {
    return defer(() => {
      requireTrainingRunId(trainingRunId);
      return this.#transport.request$({
        operation: "getTrainingRun",
        method: "GET",
        path: ["training_runs", trainingRunId],
        headers: ACCEPT_JSON,
      }, readJson(trainingRun));
    });
  }

  /**
   * Gets the training run that a checkpoint belongs to.
   *
   * @param checkpointPath The checkpoint's path, `hpcai://…`.
   * @returns Emits the run once and completes. Fails with an {@linkcode InvalidCheckpointPathError}
   * if that is no path, with a {@linkcode NotFoundError} if there is no such run.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   * import { firstValueFrom } from "rxjs";
   *
   * const client = new RestClient(); // the key is read from HPCAI_API_KEY
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
   * Lists the checkpoints of a training run, of all types. Where the server gives them page by page,
   * all pages are read, with the same proof as `listAllTrainingRuns$`.
   *
   * @param trainingRunId The run's id.
   * @returns Emits all of them once, in the server's order, and completes. Fails with a
   * {@linkcode NotFoundError} if there is no such run, and with an
   * {@linkcode InconsistentListingError} as `listAllTrainingRuns$` does, without emitting.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   * import { firstValueFrom } from "rxjs";
   *
   * const client = new RestClient(); // the key is read from HPCAI_API_KEY
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
      const page$ = (query?: PageQuery) =>
        this.#transport.request$({
          operation: "listCheckpoints",
          method: "GET",
          path: ["training_runs", trainingRunId, "checkpoints"],
          ...query && { query: { ...query } },
          headers: ACCEPT_JSON,
        }, readJson(checkpointsPage(trainingRunId)));
      return page$().pipe(
        concatMap((first) =>
          first.cursor === null
            ? of({ checkpoints: first.checkpoints })
            : runOf(importListing, (module) => module.completeCheckpoints$(first, page$))
        ),
      );
    });
  }

  /**
   * Lists the checkpoints of all training runs, in the order of `listAllTrainingRuns$`. A run that is
   * deleted meanwhile has none.
   *
   * @param options `concurrency` (default 4): how many runs' checkpoints are asked for at once.
   * @returns Emits each checkpoint with its run, as they come in, and completes. Fails as
   * `listAllTrainingRuns$` does.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   * import { FakeHpcai } from "@hpcai/rx/testing";
   * import { filter } from "rxjs";
   *
   * const fake = new FakeHpcai();
   * const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch });
   *
   * await client.listAllCheckpoints$().pipe(
   *   filter(({ checkpointType }) => checkpointType === "sampler"),
   * ).forEach(({ checkpointPath, trainingRun }) => {
   *   console.log(checkpointPath, trainingRun.baseModel);
   * });
   * ```
   */
  listAllCheckpoints$(options: ListAllCheckpointsOptions = {}): Observable<RunCheckpoint> {
    return runOf(importListing, (module) =>
      module.listAllCheckpoints$(
        this.listAllTrainingRuns$(),
        (trainingRunId) => this.listCheckpoints$(trainingRunId),
        options,
      ));
  }

  /**
   * Watches all training runs: lists them again and again, and emits what has changed.
   *
   * The next poll begins `intervalMs` after the last one has ended. While the page is hidden there are
   * none; without subscribers too. Those who watch in the same way share the polls.
   *
   * @param options `intervalMs` (default 10 000), `emitInitial` (default true), `maxConsecutiveErrors`
   * (default `Infinity`).
   * @returns Emits `added` for each run that is there or is new, `changed` when anything about one is
   * different, `removed`; of one poll the removed first, then the others in the server's order. Who
   * comes later begins with what the last poll found. Never completes. A poll that fails emits nothing,
   * shows in `events$`, and the next one waits the longer the more have failed in a row. Fails with an
   * {@linkcode AuthenticationError} or a {@linkcode PermissionDeniedError} at once, with any error after
   * `maxConsecutiveErrors` in a row.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   * import { FakeHpcai } from "@hpcai/rx/testing";
   * import { take } from "rxjs";
   *
   * const fake = new FakeHpcai({ trainingRuns: 3 });
   * const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch });
   *
   * await client.watchTrainingRuns$().pipe(take(3)).forEach(({ type, value }) => {
   *   console.log(type, value.trainingRunId, value.lastRequestTime?.toISOString());
   * });
   * ```
   */
  watchTrainingRuns$(options: WatchOptions = {}): Observable<WatchEvent<TrainingRun>> {
    return runOf(
      importListing,
      (module) => module.watchTrainingRuns$(this.events$, this.listAllTrainingRuns$(), options),
    );
  }

  /**
   * Watches the checkpoints of a training run: lists them again and again, and emits what has changed.
   *
   * @param trainingRunId The run's id.
   * @param options `intervalMs` (default 10 000), `emitInitial` (default true), `maxConsecutiveErrors`
   * (default `Infinity`).
   * @returns Emits the changes of the checkpoints as {@linkcode RestClient.watchTrainingRuns$} emits
   * those of runs, and fails as that does; also at once with a {@linkcode NotFoundError} if there is no
   * such run, or no longer.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   * import { FakeHpcai } from "@hpcai/rx/testing";
   * import { takeWhile } from "rxjs";
   *
   * const fake = new FakeHpcai();
   * const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch });
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
    return runOf(importListing, (module) =>
      module.watchCheckpoints$(
        this.events$,
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
   * const client = new RestClient(); // the key is read from HPCAI_API_KEY
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
    return this.#archive$({ trainingRunId, checkpointId });
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
   * const client = new RestClient(); // the key is read from HPCAI_API_KEY
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
    return defer(() => this.#archive$(parseCheckpointPath(checkpointPath)));
  }

  /**
   * Downloads a checkpoint's archive, a `.tar.gz`, into a stream or into memory, and tells how far
   * it is. The bytes go as fast as the stream takes them.
   *
   * @param checkpoint A checkpoint of a listing, its path, or its ids.
   * @param options `to`, `progressIntervalMs`, `idleTimeoutMs`, `prepareTimeoutMs`, `maxBytes`,
   * `minBytesPerSecond`.
   * @returns Emits `progress` at most every `progressIntervalMs`, the first (0 bytes) and the last
   * always; `restart` where the bytes come again from the first one; then `complete`, with the bytes
   * in `body` if there is no `to`; and completes. Fails with a {@linkcode DownloadInterruptedError} if
   * the transfer is interrupted and cannot be resumed; with an {@linkcode InvalidArchiveError} if the
   * length is not certain and the bytes are neither gzip nor tar; with an {@linkcode HpcaiError} whose
   * cause is the stream's own error if that fails. The stream is aborted then.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   * import { FakeHpcai } from "@hpcai/rx/testing";
   * import { assertEquals } from "@std/assert";
   * import { lastValueFrom, tap } from "rxjs";
   *
   * const fake = new FakeHpcai({ archiveBytes: 100_000 });
   * const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch });
   * const checkpoint = "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010";
   *
   * const done = await lastValueFrom(
   *   client.download$(checkpoint).pipe(
   *     tap(({ type, loaded }) => console.log(type, loaded)),
   *   ),
   * );
   * assertEquals(done.type, "complete");
   * assertEquals(done.loaded, 100_000);
   * ```
   */
  download$(checkpoint: CheckpointRef, options: DownloadOptions = {}): Observable<DownloadEvent> {
    return download$(this.#transport, checkpoint, options);
  }

  /**
   * Reads the entries of a checkpoint's archive while it arrives, in constant memory and with
   * backpressure.
   *
   * To read an entry's `body`, begin in `next` or `mergeMap`, and read to its end or cancel; the next
   * entry is emitted after that. A body that is not being read by then is skipped.
   *
   * In browsers, whose `DecompressionStream` takes a single gzip member, an archive of several fails.
   *
   * @param checkpoint A checkpoint of a listing, its path, or its ids.
   * @param options Limits: by default the entries may have 2⁴⁰ bytes together (`maxBytes`), and 100
   * times as many as the gzip (`maxRatio`). Time-outs.
   * @returns Emits each entry in the archive's order and completes after the last; unsubscribing ends
   * the transfer. Fails as `download$` does; with an {@linkcode InvalidArchiveError} if the archive is
   * broken; with an {@linkcode UnsafeArchiveError} that names the entry if one is a sparse file or of
   * an unknown type, has a name that is not UTF-8, or exceeds a limit.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   * import { FakeHpcai } from "@hpcai/rx/testing";
   *
   * const fake = new FakeHpcai();
   * const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch });
   *
   * client.archiveEntries$("hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010")
   *   .subscribe(({ path, size }) => console.log(path, size));
   * ```
   */
  archiveEntries$(
    checkpoint: CheckpointRef,
    options: ArchiveEntriesOptions = {},
  ): Observable<ArchiveEntry> {
    return runOf(
      importArchiveEntries,
      ({ archiveEntries$ }) => archiveEntries$(this.#transport, checkpoint, options),
    );
  }

  /**
   * Reads one file of a checkpoint's archive into memory, and transfers the archive only up to the end
   * of that file.
   *
   * @param checkpoint A checkpoint of a listing, its path, or its ids.
   * @param path The file's name in the archive; a leading `./` makes no difference.
   * @param options Limits: by default the file may have 64 MiB (`maxBytes`), and what is read of the
   * archive 100 times as many bytes as the gzip (`maxRatio`). Time-outs.
   * @returns Emits the file's bytes once and completes; the first file if several have the name. Fails
   * as `archiveEntries$` does; with an {@linkcode ArchiveEntryNotFoundError} if there is no such file;
   * with an {@linkcode UnsafeArchiveError} if it exceeds `maxBytes`, before any of it is read.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   * import { FakeHpcai } from "@hpcai/rx/testing";
   * import { firstValueFrom } from "rxjs";
   *
   * const fake = new FakeHpcai();
   * const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch });
   * const checkpoint = "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010";
   *
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
    return runOf(
      importArchiveEntries,
      ({ readArchiveEntry$ }) => readArchiveEntry$(this.#transport, checkpoint, path, options),
    );
  }

  /**
   * Deletes a checkpoint for good.
   *
   * If an attempt may have reached the server but its answer was lost, and the next attempt finds no
   * such checkpoint, the deletion has succeeded.
   *
   * @param trainingRunId The run's id.
   * @param checkpointId The checkpoint's id, as a listing has it.
   * @returns Emits `undefined` once and completes. Fails with a {@linkcode NotFoundError} if there
   * is no such checkpoint.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   * import { firstValueFrom } from "rxjs";
   *
   * const client = new RestClient(); // the key is read from HPCAI_API_KEY
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
   * Deletes a checkpoint for good.
   *
   * @param checkpointPath The checkpoint's path, `hpcai://…`.
   * @returns Emits `undefined` once and completes. Fails as `deleteCheckpoint$` does.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   * import { firstValueFrom } from "rxjs";
   *
   * const client = new RestClient(); // the key is read from HPCAI_API_KEY
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
   * Deletes checkpoints for good, several at a time. One that fails stops none of the others, also
   * where they will fail like it, as all do with a key that is refused (401).
   *
   * @param checkpoints Checkpoints of a listing, paths, or ids. All are taken from the iterable before
   * the first is deleted.
   * @param options `concurrency` (default 4); with `dryRun` nothing is sent.
   * @returns Emits one result for each checkpoint as it comes, `deleted` or `failed`, and completes;
   * with `dryRun` it is `planned`, or `failed` for what names no checkpoint. Unsubscribing aborts what
   * is under way and begins no more; what has reached the server by then is deleted. Fails with an
   * {@linkcode InvalidArgumentError} if the options are not usable or `checkpoints` is no iterable,
   * and with what the iterable throws.
   *
   * @example
   * ```ts
   * import { RestClient } from "@hpcai/rx";
   * import { FakeHpcai } from "@hpcai/rx/testing";
   *
   * const fake = new FakeHpcai();
   * const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch });
   * const checkpoints = [
   *   "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010",
   *   "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0020",
   * ];
   *
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
    return runOf(importListing, (module) =>
      module.deleteCheckpoints$(
        (checkpoint) => {
          const { trainingRunId, checkpointId } = checkpointIds(checkpoint);
          return this.deleteCheckpoint$(trainingRunId, checkpointId);
        },
        checkpoints,
        options,
      ));
  }

  #archive$(checkpoint: CheckpointRef): Observable<Uint8Array<ArrayBuffer>> {
    return this.download$(checkpoint).pipe(
      filter((event) => event.type === "complete"),
      map(({ body }) => body ?? new Uint8Array()),
    );
  }
}

// What not every app needs is loaded by those that do, when they first do.
const importListing = () => import("./listing/mod.ts");
const importArchiveEntries = () => import("./download/archive_entries.ts");

/** Runs an operation of a module that is loaded on demand. */
function runOf<M, T>(load: () => Promise<M>, run: (module: M) => Observable<T>): Observable<T> {
  return defer(() => loadModule(load)).pipe(concatMap(run));
}

const ACCEPT_JSON: Readonly<Record<string, string>> = { "Accept": "application/json" };
