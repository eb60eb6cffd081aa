/** Runs the client under one schedule and checks the result. */
import { type DownloadEvent, type DownloadOptions, HpcaiError, RestClient } from "@hpcai/rx";
import {
  deleteWithBackup$,
  type DeleteWithBackupEvent,
  extractArchive$,
  type ExtractEvent,
  saveArchive$,
  type SaveEvent,
} from "@hpcai/rx/fs";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Observable, Subscription } from "rxjs";
import {
  type ArchiveVersions,
  isBeginning,
  isEqual,
  isRecompressed,
  isSameTar,
  sha256,
} from "./archive.ts";
import { API_KEY, CHECKPOINT_ID, FaultServer, TRAINING_RUN_ID, waitUntil } from "./fault_server.ts";
import type { HiddenDefect } from "./fault_kind.ts";
import type { Schedule } from "./schedule.ts";

/** A result that must not occur. */
export type Violation =
  | "wrong"
  | "untyped"
  | "unhandled"
  | "hung"
  | "leftovers"
  | "progress"
  | "sockets"
  | "crash";

/** The result of a schedule. */
export interface ScheduleResult {
  readonly number: number;
  /** `complete`, or the class of the error, for each operation of the client. */
  readonly endings: readonly string[];
  readonly violations: readonly { readonly violation: Violation; readonly problem: string }[];
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

/** The time limit for closing sockets and removing temporary files. */
const SETTLE_MS = 2_000;

const SLOW_WRITE_MS = 15;

const RETRY = { initialDelayMs: 1, maxDelayMs: 20, maxElapsedMs: 4_000, maxInterruptionMs: 4_000 };

const CHECKPOINT = { trainingRunId: TRAINING_RUN_ID, checkpointId: CHECKPOINT_ID };

type AnyEvent = DownloadEvent | SaveEvent | ExtractEvent | DeleteWithBackupEvent;

/** The result of one operation of the client. */
interface Run {
  readonly ending: "complete" | "failed" | "cancelled" | "hung";
  readonly error: unknown;
  readonly last: AnyEvent | undefined;
}

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
  readonly #violations: { violation: Violation; problem: string }[] = [];
  #acceptedDefect: HiddenDefect | undefined;

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
        this.#report("sockets", `${this.#server.responding} connections are open`);
      }
    } finally {
      await this.#server[Symbol.asyncDispose]();
    }
    // A cancelled client can still be writing there. The parent process removes the rest.
    await rm(this.#directory, { recursive: true, force: true }).catch(() => {});
    return {
      number: this.#schedule.number,
      endings: this.#endings,
      violations: this.#violations,
      acceptedDefect: this.#acceptedDefect,
      ...(this.#violations.length > 0 ? { log: this.#server.log } : {}),
    };
  }

  #report(violation: Violation, problem: string): void {
    this.#violations.push({ violation, problem });
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
        return this.#checkSaved(path, await this.#run(save()));
      case "save, cancel":
        return this.#checkSaved(path, await this.#run(save(), true));
      case "save, cancel, save": {
        // Immediately, without a check of the files of the first operation.
        const first = await this.#run(save(), true);
        return this.#checkSaved(path, await this.#run(save()), first.ending === "complete");
      }
      case "save twice":
        return this.#saveTwice(path, save);
      case "download into memory": {
        const run = await this.#run(client.download$(CHECKPOINT, options));
        const body = run.last?.type === "complete" && "body" in run.last
          ? run.last.body
          : undefined;
        if (run.ending === "complete") this.#checkBytes(body ?? new Uint8Array(), run);
        return;
      }
      case "download into a stream":
        return this.#download(client, options, 0, false);
      case "download into a slow stream":
        return this.#download(client, options, SLOW_WRITE_MS, false);
      case "download, cancel":
        return this.#download(client, options, 1, true);
      case "extract":
        return this.#checkExtracted(target, await this.#run(extract()));
      case "extract, cancel, extract": {
        const first = await this.#run(extract(), true);
        await this.#checkExtracted(target, first);
        if (first.ending === "cancelled") {
          await this.#checkExtracted(target, await this.#run(extract()));
        }
        return;
      }
      case "delete with backup": {
        this.#server.backupPath = path;
        const backup$ = deleteWithBackup$(client, CHECKPOINT, path, options);
        await this.#checkSaved(path, await this.#run(backup$));
        if (this.#server.deletions.includes(false)) {
          this.#report("wrong", "deleted without a complete and correct backup");
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
    await this.#checkSaved(path, first);
    if (isReplacedBetween) this.#server.replace("otherLength");
    await this.#checkSaved(path, await this.#run(save(isOverwritten)), first.ending === "complete");
  }

  /** Runs an operation until it ends or is cancelled. */
  async #run(events$: Observable<AnyEvent>, isCancelled = false): Promise<Run> {
    const { cancelAfter } = this.#schedule;
    let last: AnyEvent | undefined;
    let subscription: Subscription | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let events = 0;
    const progress = this.#watchProgress();
    const run = await new Promise<Run>((resolve) => {
      const end = (ending: Run["ending"], error?: unknown) => {
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
    if (run.ending === "hung") this.#report("hung", `not complete after ${WATCHDOG_MS} ms`);
    if (run.ending === "failed" && !(run.error instanceof HpcaiError)) {
      this.#report("untyped", stackOf(run.error));
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
        this.#report("progress", `${loaded} of ${total} bytes`);
      }
      if (loaded < before && !isRestarted) {
        this.#report("progress", `from ${before} back to ${loaded} bytes without a restart`);
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
      this.#report("leftovers", `the stream is neither closed nor aborted (${run.ending})`);
    }
    // A closed stream means that its data is complete.
    if (run.ending === "complete" || sink.state === "closed") {
      this.#checkBytes(Buffer.concat(chunks), run);
    }
    if (run.ending === "complete" && sink.state !== "closed") {
      this.#report("wrong", `complete, but the stream is ${sink.state}`);
    }
  }

  /** Checks a directory after a save. `hadFile`: whether the file existed before. */
  async #checkSaved(path: string, run: Run, hadFile = false): Promise<void> {
    // A cancelled save can still be renaming the file.
    await this.#checkLeftovers(strayFiles);
    const saved = await readFile(path).catch(() => undefined);
    if (saved !== undefined) this.#checkBytes(saved, run);
    if (saved === undefined && (run.ending === "complete" || hadFile)) {
      this.#report("wrong", `no file after ${run.ending}`);
    }
    const { last } = run;
    if (run.ending === "complete" && saved !== undefined && last !== undefined) {
      if (last.type !== "complete" && last.type !== "deleted") {
        this.#report("wrong", `complete without its event`);
      } else if (
        !("sha256" in last) || last.sha256 !== sha256(saved) || last.size !== saved.length
      ) {
        this.#report(
          "wrong",
          `the event is ${JSON.stringify(last)}, the file has ${saved.length} bytes`,
        );
      }
    }
  }

  async #checkExtracted(target: string, run: Run): Promise<void> {
    const names = await filesIn(target);
    if (run.ending !== "complete") {
      if (names.length > 0) await this.#checkTree(target, names);
    } else {
      await this.#checkTree(target, names);
    }
    await this.#checkLeftovers((names) => names.filter((name) => !name.startsWith("final/")));
  }

  async #checkTree(target: string, names: readonly string[]): Promise<void> {
    const hashes = await Promise.all(
      names.map(async (name) => [name, sha256(await readFile(join(target, name)))] as const),
    );
    const isOf = (files: ReadonlyMap<string, string>) =>
      files.size === hashes.length && hashes.every(([name, hash]) => files.get(name) === hash);
    if (this.#server.versions.some(({ files }) => isOf(files))) return;
    // Zeros are a tar without entries; GNU tar extracts it without an error, too.
    if (names.length === 0 && this.#server.defects.some(({ defect }) => defect === "no archive")) {
      return;
    }
    this.#report("wrong", `the directory has ${JSON.stringify(names)} with other bytes`);
  }

  /** Checks the bytes of a file under its final name, or of a closed stream. */
  #checkBytes(bytes: Uint8Array, { ending, last }: Run): void {
    const { versions, defects } = this.#server;
    const { isVerified, operation } = this.#schedule;
    if (versions.some(({ gzip }) => isEqual(gzip, bytes))) return;
    const format = last !== undefined && "format" in last ? last.format : undefined;
    // An archive decompressed from a content coding is reported as a tar.
    if (format === "tar" && versions.some(({ tar }) => isSameTar(bytes, tar))) return;
    if (versions.some((version) => isRecompressed(bytes, version))) return;
    const sent = defects.find(({ defect, length }) => {
      switch (defect) {
        case "short":
          return length === bytes.length &&
            versions.some(({ gzip }) => isBeginning(bytes, gzip));
        case "altered":
          return versions.some(({ gzip }) => gzip.length === bytes.length);
        case "no archive":
          return length === bytes.length && format === "unknown";
      }
    });
    if (sent !== undefined && !isVerified && operation !== "delete with backup") {
      this.#acceptedDefect = sent.defect;
      return;
    }
    const lengths = versions.map(({ gzip }) => gzip.length);
    const beginning = versions.some(({ gzip }) => isBeginning(bytes, gzip));
    const tar = versions.some(({ tar }) => isEqual(tar, bytes));
    const what = tar ? "the bare tar" : beginning ? "only the beginning" : "other bytes";
    this.#report("wrong", `${ending}: ${bytes.length} bytes of ${lengths.join("/")}, ${what}`);
  }

  /** Waits until no unexpected files remain. */
  async #checkLeftovers(stray: (names: readonly string[]) => string[]): Promise<void> {
    let remaining: string[] = [];
    for (let waited = 0; waited < SETTLE_MS; waited += 50) {
      remaining = stray(await filesIn(this.#directory));
      if (remaining.length === 0) return;
      await delay(50);
    }
    this.#report("leftovers", remaining.join(", "));
  }
}

/** The documented state of a save: data to resume from, and the archive that a file contains. */
const SAVE_STATE = /^\.hpcai-rx(\/[0-9a-f]+\.[0-9a-f]+\/(part|part\.json|file\.json))?$/;

/** The files that a save must not leave. */
function strayFiles(names: readonly string[]): string[] {
  return names.filter((name) => name !== "final.tar.gz" && !SAVE_STATE.test(name));
}

async function filesIn(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => !entry.isDirectory() || entry.name.startsWith(".")).map((
      entry,
    ) => join(entry.parentPath, entry.name).slice(directory.length + 1));
  } catch {
    return [];
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : String(error);
}

function stackOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
