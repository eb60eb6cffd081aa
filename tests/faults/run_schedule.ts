/** Runs the client under one schedule and judges what came out of it. */
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
  isPackedAgain,
  isSameTar,
  sha256,
} from "./archive.ts";
import { API_KEY, CHECKPOINT_ID, FaultServer, TRAINING_RUN_ID, waitUntil } from "./fault_server.ts";
import type { Lie } from "./fault_kinds.ts";
import type { Schedule } from "./schedule.ts";

/** What is wrong, each of which must not happen. */
export type Fault =
  | "wrong"
  | "untyped"
  | "unhandled"
  | "hung"
  | "leftovers"
  | "progress"
  | "sockets"
  | "crash";

/** What came out of a schedule. */
export interface ScheduleResult {
  readonly number: number;
  /** `complete`, or the class of the error, for each time that the client was run. */
  readonly endings: readonly string[];
  /** What must not be, with the particulars. */
  readonly faults: readonly { readonly fault: Fault; readonly problem: string }[];
  /** The lie for which a wrong file is excused, and what the same schedule gave with `verify`. */
  readonly lie?: { readonly lie: Lie; readonly verified: "detected" | "right" | "wrong" };
  /** The requests; only where there is a fault. */
  readonly log?: readonly string[];
}

/** No byte for so long is a stall. */
const IDLE_TIMEOUT_MS = 400;
const TIMEOUT_MS = 1_500;
const PREPARE_TIMEOUT_MS = 3_000;

/** How long an operation may take: far more than all retries and stalls together. */
const WATCHDOG_MS = 30_000;

/** How long the client has to close what it has opened. */
const SETTLE_MS = 2_000;

const SLOW_WRITE_MS = 15;

/** The times within which all is retried. */
const RETRY = { initialDelayMs: 1, maxDelayMs: 20, maxElapsedMs: 4_000, maxInterruptionMs: 4_000 };

const CHECKPOINT = { trainingRunId: TRAINING_RUN_ID, checkpointId: CHECKPOINT_ID };

type AnyEvent = DownloadEvent | SaveEvent | ExtractEvent | DeleteWithBackupEvent;

/** How one run of the client ended. */
interface Run {
  readonly ending: "complete" | "failed" | "cancelled" | "hung";
  readonly error: unknown;
  readonly last: AnyEvent | undefined;
}

/** Makes what saves archives from the API that is at a URL. */
export type SaverFactory = (baseUrl: string) => typeof saveArchive$;

/**
 * Runs a schedule in a directory that is its own.
 *
 * @param saverAt Another way to save, to see whether what it does wrong is found.
 */
export async function runSchedule(
  schedule: Schedule,
  archives: ArchiveVersions,
  directory: string,
  saverAt: SaverFactory = () => saveArchive$,
): Promise<ScheduleResult> {
  const run = (schedule: Schedule, name: string) =>
    new ScheduleRun(schedule, archives, `${directory}/${name}`, saverAt).run();
  const result = await run(schedule, "as-is");
  const { excuse } = result;
  if (excuse === undefined) return result;
  const again = await run({ ...schedule, isVerified: true }, "verified");
  const isWrong = again.faults.length > 0 || again.excuse !== undefined;
  const wasRight = again.endings.at(-1) === "complete";
  return {
    ...result,
    faults: [...result.faults, ...again.faults],
    lie: { lie: excuse, verified: isWrong ? "wrong" : wasRight ? "right" : "detected" },
  };
}

class ScheduleRun {
  readonly #schedule: Schedule;
  readonly #directory: string;
  readonly #server: FaultServer;
  readonly #saverAt: SaverFactory;
  readonly #endings: string[] = [];
  readonly #faults: { fault: Fault; problem: string }[] = [];
  #excuse: Lie | undefined;

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

  async run(): Promise<ScheduleResult & { readonly excuse: Lie | undefined }> {
    await mkdir(this.#directory, { recursive: true });
    await this.#server.listen();
    const client = new RestClient({
      apiKey: API_KEY,
      baseUrl: this.#server.baseUrl,
      timeoutMs: TIMEOUT_MS,
      retry: RETRY,
    });
    try {
      await this.#operate(client);
      if (!await waitUntil(() => this.#server.responding === 0, SETTLE_MS)) {
        this.#blame("sockets", `${this.#server.responding} connections are left open`);
      }
    } finally {
      await this.#server[Symbol.asyncDispose]();
    }
    // Where it was cancelled, the client may still be at work there; the parent removes the rest.
    await rm(this.#directory, { recursive: true, force: true }).catch(() => {});
    return {
      number: this.#schedule.number,
      endings: this.#endings,
      faults: this.#faults,
      excuse: this.#excuse,
      ...(this.#faults.length > 0 ? { log: this.#server.log } : {}),
    };
  }

  #blame(fault: Fault, problem: string): void {
    this.#faults.push({ fault, problem });
  }

  async #operate(client: RestClient): Promise<void> {
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
        return this.#judgeSaved(path, await this.#run(save()));
      case "save, cancel":
        return this.#judgeSaved(path, await this.#run(save(), true));
      case "save, cancel, save": {
        // At once, without a look at what the first one has left.
        const first = await this.#run(save(), true);
        return this.#judgeSaved(path, await this.#run(save()), first.ending === "complete");
      }
      case "save twice":
        return this.#saveTwice(path, save);
      case "download into memory": {
        const run = await this.#run(client.download$(CHECKPOINT, options));
        const body = run.last?.type === "complete" && "body" in run.last
          ? run.last.body
          : undefined;
        if (run.ending === "complete") this.#judgeBytes(body ?? new Uint8Array(), run);
        return;
      }
      case "download into a stream":
        return this.#download(client, options, 0, false);
      case "download into a slow stream":
        return this.#download(client, options, SLOW_WRITE_MS, false);
      case "download, cancel":
        return this.#download(client, options, 1, true);
      case "extract":
        return this.#judgeExtracted(target, await this.#run(extract()));
      case "extract, cancel, extract": {
        const first = await this.#run(extract(), true);
        await this.#judgeExtracted(target, first);
        if (first.ending === "cancelled") {
          await this.#judgeExtracted(target, await this.#run(extract()));
        }
        return;
      }
      case "delete with backup": {
        this.#server.backupPath = path;
        const backup$ = deleteWithBackup$(client, CHECKPOINT, path, options);
        await this.#judgeSaved(path, await this.#run(backup$));
        if (this.#server.deletions.includes(false)) {
          this.#blame("wrong", "deleted without a backup that is complete and right");
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
    await this.#judgeSaved(path, first);
    if (isReplacedBetween) this.#server.replace("otherLength");
    await this.#judgeSaved(path, await this.#run(save(isOverwritten)), first.ending === "complete");
  }

  /** Runs the client to its end, or to when it is cancelled. */
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
            // Also within the first event, before there is anything to unsubscribe from.
            queueMicrotask(() => cancel("cancelled"));
          }
        },
        error: (error) => end("failed", error),
        complete: () => end("complete"),
      });
    });
    this.#endings.push(run.ending === "failed" ? nameOf(run.error) : run.ending);
    if (run.ending === "hung") this.#blame("hung", `not done after ${WATCHDOG_MS} ms`);
    if (run.ending === "failed" && !(run.error instanceof HpcaiError)) {
      this.#blame("untyped", stackOf(run.error));
    }
    return run;
  }

  /** Checks that progress stays within the total, and goes back only with a reason. */
  #watchProgress(): (event: AnyEvent) => void {
    let before = 0;
    let isRestarted = false;
    return (event) => {
      if (event.type === "restart") isRestarted = true;
      if (event.type !== "progress" && event.type !== "preparing") return;
      const { loaded, total } = event;
      if (total !== undefined && loaded > total) {
        this.#blame("progress", `${loaded} of ${total} bytes`);
      }
      if (loaded < before && !isRestarted) {
        this.#blame("progress", `back from ${before} to ${loaded} bytes without a reason`);
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
      this.#blame("leftovers", `the stream is neither closed nor aborted (${run.ending})`);
    }
    // A stream that was closed is taken for complete by whoever reads from it.
    if (run.ending === "complete" || sink.state === "closed") {
      this.#judgeBytes(Buffer.concat(chunks), run);
    }
    if (run.ending === "complete" && sink.state !== "closed") {
      this.#blame("wrong", `complete, but the stream is ${sink.state}`);
    }
  }

  /** Judges a directory that was saved into. `hadFile` tells whether there was a file before. */
  async #judgeSaved(path: string, run: Run, hadFile = false): Promise<void> {
    // One that was cancelled may still be giving the file its name.
    await this.#judgeLeftovers(strayFiles);
    const saved = await readFile(path).catch(() => undefined);
    if (saved !== undefined) this.#judgeBytes(saved, run);
    if (saved === undefined && (run.ending === "complete" || hadFile)) {
      this.#blame("wrong", `no file after ${run.ending}`);
    }
    const { last } = run;
    if (run.ending === "complete" && saved !== undefined && last !== undefined) {
      if (last.type !== "complete" && last.type !== "deleted") {
        this.#blame("wrong", `complete without the event`);
      } else if (
        !("sha256" in last) || last.sha256 !== sha256(saved) || last.size !== saved.length
      ) {
        this.#blame(
          "wrong",
          `the event says ${JSON.stringify(last)}, the file has ${saved.length}`,
        );
      }
    }
  }

  async #judgeExtracted(target: string, run: Run): Promise<void> {
    const names = await filesIn(target);
    if (run.ending !== "complete") {
      if (names.length > 0) await this.#judgeTree(target, names);
    } else {
      await this.#judgeTree(target, names);
    }
    await this.#judgeLeftovers((names) => names.filter((name) => !name.startsWith("final/")));
  }

  async #judgeTree(target: string, names: readonly string[]): Promise<void> {
    const hashes = await Promise.all(
      names.map(async (name) => [name, sha256(await readFile(join(target, name)))] as const),
    );
    const isOf = (files: ReadonlyMap<string, string>) =>
      files.size === hashes.length && hashes.every(([name, hash]) => files.get(name) === hash);
    if (this.#server.versions.some(({ files }) => isOf(files))) return;
    // Zeros are a tar without entries, as GNU tar has it too.
    if (names.length === 0 && this.#server.lies.some(({ lie }) => lie === "no archive")) return;
    this.#blame("wrong", `the directory has ${JSON.stringify(names)} with other bytes`);
  }

  /** Judges the bytes of a file under its final name, or of a stream that was closed. */
  #judgeBytes(bytes: Uint8Array, { ending, last }: Run): void {
    const { versions, lies } = this.#server;
    const { isVerified, operation } = this.#schedule;
    if (versions.some(({ packed }) => isEqual(packed, bytes))) return;
    const format = last !== undefined && "format" in last ? last.format : undefined;
    // Where the server has it compressed by Content-Encoding, the event has to say so.
    if (format === "tar" && versions.some(({ tar }) => isSameTar(bytes, tar))) return;
    if (versions.some((version) => isPackedAgain(bytes, version))) return;
    const excuse = lies.find(({ lie, length }) => {
      switch (lie) {
        case "short":
          return length === bytes.length &&
            versions.some(({ packed }) => isBeginning(bytes, packed));
        case "altered":
          return versions.some(({ packed }) => packed.length === bytes.length);
        case "no archive":
          return length === bytes.length && format === "unknown";
      }
    });
    if (excuse !== undefined && !isVerified && operation !== "delete with backup") {
      this.#excuse = excuse.lie;
      return;
    }
    const lengths = versions.map(({ packed }) => packed.length);
    const beginning = versions.some(({ packed }) => isBeginning(bytes, packed));
    const tar = versions.some(({ tar }) => isEqual(tar, bytes));
    const what = tar ? "the bare tar" : beginning ? "only the beginning" : "other bytes";
    this.#blame("wrong", `${ending}: ${bytes.length} bytes of ${lengths.join("/")}, ${what}`);
  }

  /** Waits for what is still being removed. */
  async #judgeLeftovers(stray: (names: readonly string[]) => string[]): Promise<void> {
    let left: string[] = [];
    for (let waited = 0; waited < SETTLE_MS; waited += 50) {
      left = stray(await filesIn(this.#directory));
      if (left.length === 0) return;
      await delay(50);
    }
    this.#blame("leftovers", left.join(", "));
  }
}

/** The state of a save as it is documented: what can be resumed from, and which archive a file is. */
const SAVE_STATE = /^\.hpcai-rx(\/[0-9a-f]+\.[0-9a-f]+\/(part|part\.json|file\.json))?$/;

/** What saving leaves that it should not. */
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
