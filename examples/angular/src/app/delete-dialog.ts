import { Component, type ElementRef, inject, output, signal, viewChild } from "@angular/core";
import type { Checkpoint } from "@hpcai/rx";
import { finalize, type Subscription } from "rxjs";
import { errorWords } from "./error-words";
import { REST_CLIENT } from "./rest-client";

/** Deletes a checkpoint after a confirmation, and shows why a deletion failed. */
@Component({
  selector: "app-delete-dialog",
  templateUrl: "./delete-dialog.html",
  styleUrl: "./delete-dialog.css",
})
export class DeleteDialog {
  readonly #client = inject(REST_CLIENT);
  private readonly dialog = viewChild.required<ElementRef<HTMLDialogElement>>("dialog");
  #deletion: Subscription | undefined;

  /** Emits each checkpoint after its deletion. */
  readonly deleted = output<Checkpoint>();

  protected readonly checkpoint = signal<Checkpoint | undefined>(undefined);
  protected readonly isBusy = signal(false);
  protected readonly error = signal<unknown>(undefined);
  protected readonly errorWords = errorWords;

  open(checkpoint: Checkpoint): void {
    this.checkpoint.set(checkpoint);
    this.error.set(undefined);
    this.dialog().nativeElement.showModal();
  }

  protected delete(checkpoint: Checkpoint): void {
    this.isBusy.set(true);
    this.error.set(undefined);
    const { trainingRunId, checkpointId } = checkpoint;
    this.#deletion = this.#client.deleteCheckpoint$(trainingRunId, checkpointId).pipe(
      finalize(() => this.isBusy.set(false)),
    ).subscribe({
      next: () => {
        this.dialog().nativeElement.close();
        this.deleted.emit(checkpoint);
      },
      error: (error: unknown) => this.error.set(error),
    });
  }

  /** Aborts the deletion; Escape closes the dialog too. */
  protected onClose(): void {
    this.#deletion?.unsubscribe();
  }
}
