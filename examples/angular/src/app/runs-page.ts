import { DatePipe } from "@angular/common";
import {
  afterNextRender,
  Component,
  computed,
  DOCUMENT,
  inject,
  Injector,
  signal,
} from "@angular/core";
import { RouterLink, RouterLinkActive, RouterOutlet } from "@angular/router";
import { Problem } from "./problem";
import type { RunPage } from "./run-page";
import { TrainingRuns } from "./training-runs";

/** The number of rows to add at a time, since browsers lay out thousands of rows slowly. */
const ROWS_STEP = 200;

/** Shows the table of all runs, and the selected run beside it. */
@Component({
  selector: "app-runs-page",
  imports: [DatePipe, Problem, RouterLink, RouterLinkActive, RouterOutlet],
  templateUrl: "./runs-page.html",
  styleUrl: "./runs-page.css",
})
export class RunsPage {
  readonly #document = inject(DOCUMENT);
  readonly #injector = inject(Injector);
  protected readonly runs = inject(TrainingRuns);
  protected readonly hasSelectedRun = signal(false);
  readonly #rowLimit = signal(ROWS_STEP);

  protected readonly rows = computed(() => this.runs.matches().slice(0, this.#rowLimit()));
  protected readonly hiddenCount = computed(() => this.runs.matches().length - this.rows().length);
  protected readonly summary = computed(() => {
    const loaded = this.runs.loadedCount();
    const matching = this.runs.matches().length;
    const counted = matching === loaded ? countRuns(loaded) : `${matching} of ${countRuns(loaded)}`;
    return this.runs.status() === "loading" ? `${counted} so far…` : counted;
  });

  protected readonly linkId = (runId: string): string => `run-${runId}`;

  /** Returns the focus to the link of the run. */
  protected onClosed({ runId }: RunPage): void {
    const id = this.linkId(runId());
    this.hasSelectedRun.set(false);
    afterNextRender(() => this.#document.getElementById(id)?.focus(), { injector: this.#injector });
  }

  protected showMore(): void {
    this.#rowLimit.update((limit) => limit + ROWS_STEP);
  }

  protected clearFilters(): void {
    this.runs.query.set("");
    this.runs.baseModel.set("");
    this.runs.isCorruptedHidden.set(false);
  }
}

function countRuns(count: number): string {
  return count === 1 ? "1 run" : `${count} runs`;
}
