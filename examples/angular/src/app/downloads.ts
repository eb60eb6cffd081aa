import { computed, inject, Injectable, signal } from "@angular/core";
import type { Checkpoint, DownloadCompleteEvent, DownloadEvent } from "@hpcai/rx";
import {
  concatMap,
  defer,
  finalize,
  map,
  type Observable,
  startWith,
  type Subscription,
} from "rxjs";
import { Announcer } from "./announcer";
import { type FileSink, OPEN_FILE_SINK } from "./file-sink";
import { REST_CLIENT } from "./rest-client";

/** A download that goes on, or has ended. */
export interface Download {
  readonly checkpoint: Checkpoint;
  readonly fileName: string;
  readonly state: "running" | "complete" | "failed" | "cancelled";
  /** How far it is; `undefined` before the first byte. */
  readonly progress?: Exclude<DownloadEvent, DownloadCompleteEvent>;
  /** How many bytes were saved. */
  readonly size?: number;
  /** Why it failed. */
  readonly error?: unknown;
}

/** The downloads since the app was opened. They go on while the user looks at another run. */
@Injectable({ providedIn: "root" })
export class Downloads {
  readonly #client = inject(REST_CLIENT);
  readonly #announcer = inject(Announcer);
  readonly #openFileSink = inject(OPEN_FILE_SINK);
  readonly #downloads = signal<ReadonlyMap<string, Download>>(new Map());
  readonly #subscriptions = new Map<string, Subscription>();

  /** All of them, the latest last; one for each checkpoint. */
  readonly all = computed(() => [...this.#downloads().values()]);
  /** Whether any goes on. */
  readonly isRunning = computed(() => this.all().some(({ state }) => state === "running"));

  /** The download of a checkpoint, if there was one. */
  of({ checkpointPath }: Checkpoint): Download | undefined {
    return this.#downloads().get(checkpointPath);
  }

  /** Asks where to save a checkpoint's archive, and downloads it there. */
  start(checkpoint: Checkpoint): void {
    const { checkpointPath, checkpointId } = checkpoint;
    if (this.#subscriptions.has(checkpointPath)) return;
    const started: Download = { checkpoint, fileName: archiveName(checkpoint), state: "running" };
    const subscription = defer(() => this.#openFileSink(started.fileName)).pipe(
      concatMap((sink) => this.#download$(started, sink)),
      finalize(() => this.#subscriptions.delete(checkpointPath)),
    ).subscribe({
      next: (download) => this.#set(download),
      error: (error: unknown) => {
        if (isDismissal(error)) return;
        this.#set({ ...started, state: "failed", error });
        this.#announcer.announce(`The download of ${checkpointId} failed`);
      },
    });
    if (!subscription.closed) this.#subscriptions.set(checkpointPath, subscription);
  }

  /** Stops a download; the server is told at once. */
  cancel(checkpoint: Checkpoint): void {
    this.#subscriptions.get(checkpoint.checkpointPath)?.unsubscribe();
    const download = this.of(checkpoint);
    if (download?.state !== "running") return;
    this.#set({ ...download, state: "cancelled" });
    this.#announcer.announce(`The download of ${checkpoint.checkpointId} is cancelled`);
  }

  /** Takes a download that has ended off the list. */
  dismiss({ checkpointPath }: Checkpoint): void {
    this.#downloads.update((downloads) =>
      new Map([...downloads].filter(([path]) => path !== checkpointPath))
    );
  }

  #download$(started: Download, { writable, save }: FileSink): Observable<Download> {
    const options = writable ? { to: writable } : {};
    return this.#client.download$(started.checkpoint, options).pipe(
      map((event): Download => {
        if (event.type !== "complete") return { ...started, progress: event };
        save(event.body);
        this.#announcer.announce(`${started.fileName} is saved`);
        return { ...started, state: "complete", size: event.loaded };
      }),
      startWith(started),
    );
  }

  #set(download: Download): void {
    this.#downloads.update((downloads) =>
      new Map(downloads).set(download.checkpoint.checkpointPath, download)
    );
  }
}

/** `eb78693b_step_0010.tar.gz`: the id of a checkpoint may hold slashes. */
function archiveName({ trainingRunId, checkpointId }: Checkpoint): string {
  return `${trainingRunId.slice(0, 8)}_${checkpointId}.tar.gz`.replace(/[^\w.-]+/g, "_");
}

/** Whether the user closed the file picker without choosing. */
function isDismissal(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}
