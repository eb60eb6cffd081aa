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

/** A download and its state. */
export interface Download {
  readonly checkpoint: Checkpoint;
  readonly fileName: string;
  readonly state: "running" | "complete" | "failed" | "cancelled";
  /** The latest progress; `undefined` before the first byte. */
  readonly progress?: Exclude<DownloadEvent, DownloadCompleteEvent>;
  /** The number of saved bytes. */
  readonly size?: number;
  /** The reason of the failure. */
  readonly error?: unknown;
}

/** Downloads archives. The downloads continue on every page of the app. */
@Injectable({ providedIn: "root" })
export class Downloads {
  readonly #client = inject(REST_CLIENT);
  readonly #announcer = inject(Announcer);
  readonly #openFileSink = inject(OPEN_FILE_SINK);
  readonly #downloads = signal<ReadonlyMap<string, Download>>(new Map());
  readonly #subscriptions = new Map<string, Subscription>();

  /** All downloads in the order of their start, one for each checkpoint. */
  readonly all = computed(() => [...this.#downloads().values()]);
  /** Whether any download is running. */
  readonly isRunning = computed(() => this.all().some(({ state }) => state === "running"));

  /** Returns the download of a checkpoint, if it has one. */
  of({ checkpointPath }: Checkpoint): Download | undefined {
    return this.#downloads().get(checkpointPath);
  }

  /** Downloads the archive of a checkpoint into a file that the user chooses. */
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

  /** Cancels a download, which aborts its request at once. */
  cancel(checkpoint: Checkpoint): void {
    this.#subscriptions.get(checkpoint.checkpointPath)?.unsubscribe();
    const download = this.of(checkpoint);
    if (download?.state !== "running") return;
    this.#set({ ...download, state: "cancelled" });
    this.#announcer.announce(`The download of ${checkpoint.checkpointId} is cancelled`);
  }

  /** Removes a finished download from the list. */
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

/** The file name of an archive, such as `eb78693b_step_0010.tar.gz`, without the slashes of an id. */
function archiveName({ trainingRunId, checkpointId }: Checkpoint): string {
  return `${trainingRunId.slice(0, 8)}_${checkpointId}.tar.gz`.replace(/[^\w.-]+/g, "_");
}

/** Whether the user closed the file picker without a choice. */
function isDismissal(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}
