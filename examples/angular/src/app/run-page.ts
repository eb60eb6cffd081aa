import { DatePipe } from "@angular/common";
import {
  afterRenderEffect,
  Component,
  computed,
  effect,
  type ElementRef,
  inject,
  input,
  linkedSignal,
  signal,
  viewChild,
} from "@angular/core";
import { rxResource } from "@angular/core/rxjs-interop";
import { RouterLink } from "@angular/router";
import type { Checkpoint, WatchEvent } from "@hpcai/rx";
import { filter, map, merge, Subject } from "rxjs";
import { Announcer } from "./announcer";
import { DeleteDialog } from "./delete-dialog";
import { Downloads } from "./downloads";
import { Problem } from "./problem";
import { REST_CLIENT } from "./rest-client";
import { collectCheckpoints } from "./collect-checkpoints";

const WATCH_OPTIONS = { intervalMs: 5000, maxConsecutiveErrors: 1 };

interface Deletion {
  readonly runId: string;
  readonly checkpoint: Checkpoint;
}

/** Shows a run and watches its checkpoints. */
@Component({
  selector: "app-run-page",
  imports: [DatePipe, DeleteDialog, Problem, RouterLink],
  templateUrl: "./run-page.html",
  styleUrl: "./run-page.css",
})
export class RunPage {
  readonly #client = inject(REST_CLIENT);
  readonly #announcer = inject(Announcer);
  protected readonly downloads = inject(Downloads);
  private readonly heading = viewChild.required<ElementRef<HTMLElement>>("heading");
  readonly #deletions = new Subject<Deletion>();

  /** The id of the run, from the route. */
  readonly runId = input.required<string>();

  protected readonly run = rxResource({
    params: () => this.runId(),
    stream: ({ params }) => this.#client.getTrainingRun$(params),
  });

  protected readonly watch = rxResource({
    params: () => this.runId(),
    stream: ({ params: runId }) =>
      merge(
        this.#client.watchCheckpoints$(runId, WATCH_OPTIONS),
        // A deletion of the user shows at once instead of after the next poll.
        this.#deletions.pipe(
          filter((deletion) => deletion.runId === runId),
          map(({ checkpoint }): WatchEvent<Checkpoint> => ({ type: "removed", value: checkpoint })),
        ),
      ).pipe(collectCheckpoints()),
  });

  /** The latest checkpoints, also while the connection is lost; `undefined` before the first response. */
  protected readonly checkpoints = linkedSignal<
    { runId: string; latest: readonly Checkpoint[] | undefined },
    readonly Checkpoint[] | undefined
  >({
    source: () => ({ runId: this.runId(), latest: this.#latest() }),
    computation: ({ runId, latest }, previous) =>
      latest ?? (previous?.source.runId === runId ? previous.value : undefined),
  });

  /** The paths of the checkpoints that were added since the run was opened. */
  protected readonly addedPaths = signal<ReadonlySet<string>>(new Set());

  /** A run without checkpoints has no watch events, so that the run itself provides the empty list. */
  readonly #latest = computed(() => {
    if (this.watch.hasValue()) return this.watch.value();
    if (!this.run.hasValue()) return undefined;
    const { lastCheckpoint, lastSamplerCheckpoint } = this.run.value();
    return lastCheckpoint === null && lastSamplerCheckpoint === null ? [] : undefined;
  });

  constructor() {
    afterRenderEffect(() => {
      this.runId();
      this.heading().nativeElement.focus({ preventScroll: true });
    });
    this.#announceChanges();
  }

  protected reload(): void {
    if (this.run.error()) this.run.reload();
    if (this.watch.error()) this.watch.reload();
  }

  protected onDeleted(checkpoint: Checkpoint): void {
    this.#deletions.next({ runId: this.runId(), checkpoint });
    this.heading().nativeElement.focus();
  }

  #announceChanges(): void {
    let known: { runId: string; checkpoints: readonly Checkpoint[] } | undefined;
    effect(() => {
      const runId = this.runId();
      const checkpoints = this.checkpoints();
      if (known?.runId !== runId) {
        known = undefined;
        this.addedPaths.set(new Set());
      }
      if (checkpoints === undefined) return;
      if (known !== undefined) {
        const added = difference(checkpoints, known.checkpoints);
        const removed = difference(known.checkpoints, checkpoints);
        if (added.length > 0) this.#announcer.announce(`New checkpoint: ${idsOf(added)}`);
        if (removed.length > 0) this.#announcer.announce(`Deleted: ${idsOf(removed)}`);
        const paths = added.map(({ checkpointPath }) => checkpointPath);
        this.addedPaths.update((added) => new Set([...added, ...paths]));
      }
      known = { runId, checkpoints };
    });
  }
}

/** The checkpoints that are not among the others. */
function difference(
  checkpoints: readonly Checkpoint[],
  others: readonly Checkpoint[],
): readonly Checkpoint[] {
  const paths = new Set(others.map(({ checkpointPath }) => checkpointPath));
  return checkpoints.filter(({ checkpointPath }) => !paths.has(checkpointPath));
}

function idsOf(checkpoints: readonly Checkpoint[]): string {
  return checkpoints.map(({ checkpointId }) => checkpointId).join(", ");
}
