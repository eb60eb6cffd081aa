/** Runs the client under one schedule and checks the result. */
import { type DownloadOptions, HpcaiError, RestClient } from "@hpcai/rx";
import { deleteWithBackup$, extractArchive$, saveArchive$ } from "@hpcai/rx/fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Observable, Subscription } from "rxjs";
import type { ArchiveVersions } from "./archive.ts";
import { API_KEY, CHECKPOINT_ID, FaultServer, TRAINING_RUN_ID, waitUntil } from "./fault_server.ts";
import type { HiddenDefect } from "./fault_kind.ts";
import {
  type AnyEvent,
  type OperationResult,
  type ReportedViolation,
  ResultChecker,
  SETTLE_MS,
} from "./result_checker.ts";
import type { Schedule } from "./schedule.ts";

/** The result of a schedule. */
export interface ScheduleResult {
  readonly number: number;
  /** `complete`, or the class of the error, for each operation of the client. */
  readonly endings: readonly string[];
  readonly violations: readonly ReportedViolation[];
  /** The hidden defect that explains a wrong file, and the result of the same schedule with `verify`. */
  readonly defect?: {
    readonly defect: HiddenDefect;
    readonly verified: "detected" | "correct" | "wrong";
  };
  /** The requests, if there is a violation. */
  readonly log?: readonly string[];
}

const IDLE_TIMEOUT_MS = 400;
const TIMEOUT_MS = 1_500;
const PREPARE_TIMEOUT_MS = 3_000;

/** The time limit of an operation: far more than all retries and stalls together. */
const WATCHDOG_MS = 30_000;

const SLOW_WRITE_MS = 15;

const RETRY = { initialDelayMs: 1, maxDelayMs: 20, maxElapsedMs: 4_000, maxInterruptionMs: 4_000 };

const CHECKPOINT = { trainingRunId: TRAINING_RUN_ID, checkpointId: CHECKPOINT_ID };

/** Creates a function that saves archives from the API at `baseUrl`. */
export type SaverFactory = (baseUrl: string) => typeof saveArchive$;

/**
 * Runs a schedule in a directory of its own.
 *
 * @param saverAt Replaces `saveArchive$`, to test that violations are detected.
 */
export async function runSchedule(
  schedule: Schedule,
  archives: ArchiveVersions,
  directory: string,
  saverAt: SaverFactory = () => saveArchive$,
): Promise<ScheduleResult> {
  const run = (schedule: Schedule, name: string) =>
    new ScheduleRun(schedule, archives, `${directory}/${name}`, saverAt).run();
  const result = await run(schedule, "unverified");
  const { acceptedDefect } = result;
  if (acceptedDefect === undefined) return result;
  const verified = await run({ ...schedule, isVerified: true }, "verified");
  const isWrong = verified.violations.length > 0 || verified.acceptedDefect !== undefined;
  const isComplete = verified.endings.at(-1) === "complete";
  return {
    ...result,
    violations: [...result.violations, ...verified.violations],
    defect: {
      defect: acceptedDefect,
      verified: isWrong ? "wrong" : isComplete ? "correct" : "detected",
    },
  };
}

class ScheduleRun {
  readonly #schedule: Schedule;
  readonly #directory: string;
  readonly #server: FaultServer;
  readonly #saverAt: SaverFactory;
  readonly #endings: string[] = [];
  readonly #checker: ResultChecker;

  constructor(
    schedule: Schedule,
    archives: ArchiveVersions,
    directory: string,
    saverAt: SaverFactory,
  ) {
    this.#saverAt = saverAt;
    this.#schedule = schedule;
    this.#directory = directory;
    this.#server = new FaultServer(schedule, archives);
    this.#checker = new ResultChecker(schedule, this.#server, directory);
  }

  async run(): Promise<ScheduleResult & { readonly acceptedDefect: HiddenDefect | undefined }> {
    await mkdir(this.#directory, { recursive: true });
    await this.#server.listen();
    const client = new RestClient({
      apiKey: API_KEY,
      baseUrl: this.#server.baseUrl,
      timeoutMs: TIMEOUT_MS,
      retry: RETRY,
    });
    try {
      await this.#perform(client);
      if (!await waitUntil(() => this.#server.responding === 0, SETTLE_MS)) {
        this.#checker.report("sockets", `${this.#server.responding} connections are open`);
      }
    } finally {
      await this.#server[Symbol.asyncDispose]();
    }
    // A cancelled client can still be writing there. The parent process removes the rest.
    await rm(this.#directory, { recursive: true, force: true }).catch(() => {});
    const { violations, acceptedDefect } = this.#checker;
    return {
      number: this.#schedule.number,
      endings: this.#endings,
      violations,
      acceptedDefect,
      ...(violations.length > 0 ? { log: this.#server.log } : {}),
    };
  }

  async #perform(client: RestClient): Promise<void> {
    const { operation, isVerified: verify } = this.#schedule;
    const options = {
      idleTimeoutMs: IDLE_TIMEOUT_MS,
      prepareTimeoutMs: PREPARE_TIMEOUT_MS,
      progressIntervalMs: 0,
    };
    const path = join(this.#directory, "final.tar.gz");
    const target = join(this.#directory, "final");
    const saver = this.#saverAt(this.#server.baseUrl);
    const save = (overwrite = false) =>
      saver(client, CHECKPOINT, path, { ...options, verify, overwrite });
    const extract = () => extractArchive$(client, CHECKPOINT, target, options);
    switch (operation) {
      case "save":
        return this.#checker.checkSaved(path, await this.#run(save()));
      case "save, cancel":
        return this.#checker.checkSaved(path, await this.#run(save(), true));
      case "save, cancel, save": {
        // Immediately, without a check of the files of the first operation.
        const first = await this.#run(save(), true);
        return this.#checker.checkSaved(path, await this.#run(save()), first.ending === "complete");
      }
      case "save twice":
        return this.#saveTwice(path, save);
      case "download into memory": {
        const run = await this.#run(client.download$(CHECKPOINT, options));
        const body = run.last?.type === "complete" && "body" in run.last
          ? run.last.body
          : undefined;
        if (run.ending === "complete") this.#checker.checkBytes(body ?? new Uint8Array(), run);
        return;
      }
      case "download into a stream":
        return this.#download(client, options, 0, false);
      case "download into a slow stream":
        return this.#download(client, options, SLOW_WRITE_MS, false);
      case "download, cancel":
        return this.#download(client, options, 1, true);
      case "extract":
        return this.#checker.checkExtracted(target, await this.#run(extract()));
      case "extract, cancel, extract": {
        const first = await this.#run(extract(), true);
        await this.#checker.checkExtracted(target, first);
        if (first.ending === "cancelled") {
          await this.#checker.checkExtracted(target, await this.#run(extract()));
        }
        return;
      }
      case "delete with backup": {
        this.#server.backupPath = path;
        const backup$ = deleteWithBackup$(client, CHECKPOINT, path, options);
        await this.#checker.checkSaved(path, await this.#run(backup$));
        if (this.#server.deletions.includes(false)) {
          this.#checker.report("wrong", "deleted without a complete and correct backup");
        }
      }
    }
  }

  async #saveTwice(
    path: string,
    save: (overwrite: boolean) => Observable<AnyEvent>,
  ): Promise<void> {
    const { isReplacedBetween, isOverwritten } = this.#schedule;
    const first = await this.#run(save(false));
    await this.#checker.checkSaved(path, first);
    if (isReplacedBetween) this.#server.replace("otherLength");
    await this.#checker.checkSaved(
      path,
      await this.#run(save(isOverwritten)),
      first.ending === "complete",
    );
  }

  /** Runs an operation until it ends or is cancelled. */
  async #run(events$: Observable<AnyEvent>, isCancelled = false): Promise<OperationResult> {
    const { cancelAfter } = this.#schedule;
    let last: AnyEvent | undefined;
    let subscription: Subscription | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let events = 0;
    const progress = this.#watchProgress();
    const run = await new Promise<OperationResult>((resolve) => {
      const end = (ending: OperationResult["ending"], error?: unknown) => {
        clearTimeout(timer);
        resolve({ ending, error, last });
      };
      const cancel = (ending: "cancelled" | "hung") => {
        subscription?.unsubscribe();
        end(ending);
      };
      timer = setTimeout(
        () => isCancelled && "ms" in cancelAfter ? cancel("cancelled") : cancel("hung"),
        isCancelled && "ms" in cancelAfter ? cancelAfter.ms : WATCHDOG_MS,
      );
      subscription = events$.subscribe({
        next: (event) => {
          last = event;
          progress(event);
          events++;
          if (isCancelled && "events" in cancelAfter && events === cancelAfter.events) {
            // In a microtask, because the first event can precede the subscription.
            queueMicrotask(() => cancel("cancelled"));
          }
        },
        error: (error) => end("failed", error),
        complete: () => end("complete"),
      });
    });
    this.#endings.push(run.ending === "failed" ? nameOf(run.error) : run.ending);
    if (run.ending === "hung") this.#checker.report("hung", `not complete after ${WATCHDOG_MS} ms`);
    if (run.ending === "failed" && !(run.error instanceof HpcaiError)) {
      this.#checker.report("untyped", stackOf(run.error));
    }
    return run;
  }

  /** Checks that progress stays within the total and decreases only after a restart. */
  #watchProgress(): (event: AnyEvent) => void {
    let before = 0;
    let isRestarted = false;
    return (event) => {
      if (event.type === "restart") isRestarted = true;
      if (event.type !== "progress" && event.type !== "preparing") return;
      const { loaded, total } = event;
      if (total !== undefined && loaded > total) {
        this.#checker.report("progress", `${loaded} of ${total} bytes`);
      }
      if (loaded < before && !isRestarted) {
        this.#checker.report(
          "progress",
          `from ${before} back to ${loaded} bytes without a restart`,
        );
      }
      if (loaded < before) isRestarted = false;
      before = loaded;
    };
  }

  async #download(
    client: RestClient,
    options: DownloadOptions,
    writeMs: number,
    isCancelled: boolean,
  ): Promise<void> {
    const chunks: Uint8Array[] = [];
    const sink: { state: "open" | "closed" | "aborted" } = { state: "open" };
    const to = new WritableStream<Uint8Array>({
      async write(chunk) {
        chunks.push(chunk.slice());
        if (writeMs > 0) await delay(writeMs);
      },
      close() {
        sink.state = "closed";
      },
      abort() {
        sink.state = "aborted";
      },
    });
    const run = await this.#run(client.download$(CHECKPOINT, { ...options, to }), isCancelled);
    if (!await waitUntil(() => sink.state !== "open", SETTLE_MS)) {
      this.#checker.report("leftovers", `the stream is neither closed nor aborted (${run.ending})`);
    }
    // A closed stream means that its data is complete.
    if (run.ending === "complete" || sink.state === "closed") {
      this.#checker.checkBytes(Buffer.concat(chunks), run);
    }
    if (run.ending === "complete" && sink.state !== "closed") {
      this.#checker.report("wrong", `complete, but the stream is ${sink.state}`);
    }
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : String(error);
}

/** The stack of an error, or the text of another thrown value. */
export function stackOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
